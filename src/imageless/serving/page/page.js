"use strict";
// The page keeps what it is shown in the browser alone: nothing is stored, here or on the server.

const $ = (id) => document.getElementById(id);
const NAMES = { caption: "Caption", ask: "Ask", entail: "Entail", news: "News", classify: "Classify" };
const N_BEST = 5;
const state = { verb: "caption", picture: null, sentence: "", dots: null, here: {}, turn: { picture: 0, sentence: 0 } };

// ---- asking -------------------------------------------------------------------------------------------------------

const wanted = {
  caption: () => ($("style").value ? { style: $("style").value } : {}),
  ask: () => ({ question: $("question").value.trim() }),
  entail: () => ({ hypothesis: $("hypothesis").value.trim() }),
  news: () => ({ article: $("article").value.trim() }),
  classify: () => ({ labels: $("labels").value.split(",").map((label) => label.trim()).filter(Boolean) }),
};

function missing() {
  const words = wanted[state.verb]();
  const empty = Object.values(words).some((value) => value.length === 0);
  return empty || (state.verb === "classify" && words.labels.length < 2);
}

async function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] || "");
    reader.onerror = () => reject(new Error("this file cannot be read"));
    reader.readAsDataURL(blob);
  });
}

async function call(path, body) {
  let reply;
  try {
    reply = await fetch(path, body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const told = await reply.json().catch(() => ({ error: `The server said ${reply.status}.` }));
  if (!reply.ok) throw new Error(told.error || `The server said ${reply.status}.`);
  return told;
}

async function ask(side) {
  const what = side === "picture" ? state.picture : state.sentence;
  if (!what) return;
  const card = $(`from-${side}`);
  if (missing()) {
    document.querySelector(`#words [data-for=${state.verb}] :is(input, textarea)`).focus();
    return;
  }
  const turn = ++state.turn[side];
  card.classList.add("waits");
  try {
    const seen = side === "picture" ? { image: await base64(what.blob) } : { text: what };
    const said = await call(state.verb, { ...seen, ...wanted[state.verb](), n_best: N_BEST });
    if (turn !== state.turn[side]) return; // another was asked meanwhile
    trouble("");
    show(side, said);
    remember(side, said);
    place(side, said.place);
  } catch (error) {
    if (turn !== state.turn[side]) return;
    card.hidden = true;
    place(side, null);
    trouble(error.message);
  } finally {
    card.classList.remove("waits");
  }
}

function askBoth() { ask("picture"); ask("sentence"); }

// ---- showing ------------------------------------------------------------------------------------------------------

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

function show(side, said) {
  const card = $(`from-${side}`);
  const table = element("table");
  for (const each of said.nbest.length > 1 ? said.nbest : []) {
    const row = element("tr");
    const share = said.probabilities ? said.probabilities[each.text] : null;
    row.append(element("td", each.text), element("td", share == null ? each.score.toFixed(2) : `${(100 * share).toFixed(1)} %`));
    table.append(row);
  }
  const from = side === "picture" ? "From the picture" : "From the sentence";
  card.replaceChildren(element("h2", `${from}, ${Math.round(said.milliseconds)} ms`), element("p", said.text, "said"), table);
  card.hidden = false;
}

function remember(side, said) {
  const line = element("li");
  if (side === "picture") {
    const small = element("img");
    small.src = state.picture.url;
    small.alt = "";
    line.append(small);
  }
  const words = element("div");
  const asked = Object.values(wanted[state.verb]()).flat().join(", ").slice(0, 120);
  const what = [NAMES[state.verb], asked, side === "sentence" ? `“${state.sentence}”` : ""].filter(Boolean).join(" · ");
  words.append(element("div", what, "soft small"), element("div", said.text));
  line.append(words);
  $("history").prepend(line);
  while ($("history").children.length > 50) $("history").lastChild.remove();
  $("before").hidden = false;
}

function place(side, at) {
  state.here[side] = at;
  const dots = state.dots;
  if (!dots || !dots.pictures) return;
  const every = [...dots.pictures, ...dots.sentences, ...Object.values(state.here).filter(Boolean)];
  const range = (axis) => [Math.min(...every.map((p) => p[axis])), Math.max(...every.map((p) => p[axis]))];
  const [left, right] = range(0), [low, high] = range(1);
  const svg = $("map").querySelector("svg");
  svg.replaceChildren();
  const dot = (at, name, radius) => {
    const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    circle.setAttribute("cx", 20 + (280 * (at[0] - left)) / (right - left || 1));
    circle.setAttribute("cy", 180 - (160 * (at[1] - low)) / (high - low || 1));
    circle.setAttribute("r", radius);
    circle.setAttribute("class", name);
    svg.append(circle);
  };
  dots.sentences.forEach((at) => dot(at, "text", 4));
  dots.pictures.forEach((at) => dot(at, "image", 4));
  if (state.here.sentence) dot(state.here.sentence, "text here", 7);
  if (state.here.picture) dot(state.here.picture, "image here", 7);
  $("map").hidden = false;
}

// ---- what is looked at --------------------------------------------------------------------------------------------

function look(blob, name) {
  if (!blob) return;
  for (const button of $("gallery").children) button.setAttribute("aria-pressed", String(button.dataset.whole === name));
  state.picture = { blob, url: URL.createObjectURL(blob) };
  $("seen").src = state.picture.url;
  $("seen").alt = name ? "The chosen picture" : "Your picture";
  $("seen").hidden = false;
  $("hint").hidden = true;
  ask("picture");
}

async function offer() {
  const offered = await call("gallery");
  state.dots = offered.map;
  offered.pictures.forEach((each, number) => {
    const button = element("button");
    const image = element("img");
    button.type = "button";
    button.dataset.whole = each.large;
    button.setAttribute("aria-pressed", "false");
    image.src = each.small;
    image.alt = each.caption || `Picture ${number + 1}`;
    button.append(image);
    button.onclick = async () => {
      try { look(await (await fetch(each.large)).blob(), each.large); } catch { trouble("The server does not answer. Is it still running?"); }
    };
    $("gallery").append(button);
  });
  place("picture", null);
}

function choose(verb) {
  state.verb = verb;
  for (const side of ["picture", "sentence"]) $(`from-${side}`).hidden = true;
  const fields = [...document.querySelectorAll("#words [data-for]")];
  for (const field of fields) field.hidden = field.dataset.for !== verb || (verb === "caption" && !$("style").options.length);
  $("words").hidden = fields.every((field) => field.hidden);
}

async function start() {
  const health = await call("health");
  const verbs = [...new Set(health.runs.map((run) => run.verb))];
  if (health.reads_sentences) verbs.push("classify");
  const voices = health.runs.filter((run) => run.verb === "caption").flatMap((run) => (run.voices.length > 1 ? run.voices : []));
  if (voices.length && health.runs.some((run) => run.task === "captioning")) $("style").append(new Option("plain", ""));
  for (const voice of voices) $("style").append(new Option(voice, voice));
  for (const verb of verbs) {
    const label = element("label"), input = element("input");
    Object.assign(input, { type: "radio", name: "verb", value: verb, checked: verb === verbs[0] });
    input.onchange = () => { choose(verb); if (!missing()) askBoth(); };
    label.append(input, element("span", NAMES[verb]));
    $("verbs").append(label);
  }
  choose(verbs[0]);
  $("sentence").hidden = !health.reads_sentences;
  $("about").textContent = `${health.runs.map((run) => run.name).join(", ")} on the encoder ${health.encoder.split("/").pop()}`;
  await offer();
}

$("choose").onclick = () => $("file").click();
$("photograph").onclick = () => $("camera").click();
for (const input of [$("file"), $("camera")]) input.onchange = () => { look(input.files[0]); input.value = ""; };
$("style").onchange = askBoth;
for (const id of ["question", "hypothesis", "labels"]) $(id).onchange = askBoth;
$("sentence").onsubmit = (event) => { event.preventDefault(); state.sentence = $("text").value.trim(); ask("sentence"); };
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])][0];
  if (file) { event.preventDefault(); look(file); }
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") look(event.dataTransfer.files[0]);
  });
}
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askBoth();
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && !event.target.closest("input, textarea, select")) {
    const all = [...$("gallery").children];
    if (!all.length) return;
    const at = all.findIndex((button) => button.getAttribute("aria-pressed") === "true");
    const next = all[(at + step + all.length) % all.length];
    next.focus();
    next.click();
  }
});
start().catch((error) => trouble(error.message));
