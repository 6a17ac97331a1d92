"""The words of English that say how a sentence is built rather than what it shows; numerals count as such."""

PLACING = """
about above across after against along amid among around at atop before behind below beneath beside besides between
beyond by despite down during except for from in inside into near next of off on onto out outside over past per
through throughout to toward towards under underneath up upon via with within without
"""
COUNTING = "two three four five six seven eight nine ten eleven twelve"
OTHER = """
a an the this that these those each every either neither both all any some no none another other others such same
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
herself it its itself they them their theirs themselves one ones someone something somebody anyone anything anybody
everyone everything everybody nobody nothing who whom whose which what where when why how there here
am is are was were be been being isn't aren't wasn't weren't do does did doing done don't doesn't didn't have has had
having haven't hasn't hadn't can could may might must shall should will would can't cannot couldn't won't wouldn't
shouldn't i'm i've i'll i'd you're you've you'll we're we've we'll they're they've he'll she'll it'll let's
and or but nor so yet if then than because while although though unless until since as whether
not very too also just only even still again almost already always ever never often perhaps quite rather really
somehow sometimes soon together much many more most few less least several enough own
"""
PREPOSITIONS, NUMBERS, OTHERS = (frozenset(words.split()) for words in (PLACING, COUNTING, OTHER))
ALL = PREPOSITIONS | NUMBERS | OTHERS
