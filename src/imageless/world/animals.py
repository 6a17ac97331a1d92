"""What the animals look like. Each function sketches one kind on a grid of about 100 x 100, y up, facing right;
`vary` draws what differs between its variants.
"""

from __future__ import annotations

from imageless.world.sketch import Sketch, Vary


def cat(s: Sketch, vary: Vary) -> None:
    """Sitting and looking at us: pointed ears, whiskers, a tail curled up at one side."""
    ear, tail = vary(96, 106), vary(38, 56)
    s.line("body", 9, 66, 6, 86, 7, 95, 22, 88, tail)
    s.blob("body", 28, 0, 25, 24, 38, 52, 62, 52, 75, 24, 72, 0)
    s.oval("body", 50, 67, 25, 20)
    s.shape("body", 27, 70, 25, ear, 46, 84)
    s.shape("body", 73, 70, 75, ear, 54, 84)
    s.inside()
    s.shape("pink", 31, 78, 30, ear - 8, 40, 84)
    s.shape("pink", 69, 78, 70, ear - 8, 60, 84)
    s.oval("light", 50, 24, 12, 17)
    s.line("shade", 4, 44, 0, 44, 18)
    s.line("shade", 4, 56, 0, 56, 18)
    s.oval("eye", 40, 69, 4.5, 5.5)
    s.oval("eye", 60, 69, 4.5, 5.5)
    s.shape("pink", 45, 61, 55, 61, 50, 56)
    s.line("shade", 2.5, 26, 62, 12, 65)
    s.line("shade", 2.5, 74, 62, 88, 65)


def dog(s: Sketch, vary: Vary) -> None:
    """Standing in profile: a long snout, a hanging ear, a tail held up."""
    tail, leg = vary(66, 84), vary(26, 32)
    s.line("body", 8, 20, 46, 8, 58, vary(2, 8), tail)
    s.blob("body", 14, 42, 20, 56, 50, 54, 76, 58, 78, 38, 66, 26, 46, 30, 22, leg)
    for x in (18, 30, 62, 74):
        s.shape("body", x - 6, 40, x + 6, 40, x + 5, 0, x - 5, 0)
    s.shape("body", 62, 50, 80, 40, 90, 66, 70, 74)
    s.oval("body", 82, 72, 15, 14)
    s.blob("body", 84, 62, 86, 76, 100, 73, 106, 68, 103, 60)
    s.inside()
    s.shape("shade", 24, 34, 33, 36, 35, 0, 26, 0)
    s.shape("shade", 57, 34, 66, 36, 67, 0, 58, 0)
    s.blob("shade", 72, 82, 80, 84, 80, 68, 74, 54, 66, 58, 68, 72)
    s.oval("eye", 88, 76, 4)
    s.oval("dark", 104, 69, 4.5, 4)
    s.line("red", 4, 70, 52, 84, 55)


def rabbit(s: Sketch, vary: Vary) -> None:
    """Crouching in profile: two long upright ears and a round white tail."""
    lean, ear = vary(-6, 8), vary(106, 118)
    s.blob("body", 12, 4, 8, 26, 24, 46, 48, 44, 66, 30, 70, 2, 40, 0)
    s.oval("body", 68, 50, 19, 16)
    s.oval("body", 60 - lean, (ear + 58) / 2, 7, (ear - 56) / 2, 8)
    s.oval("body", 74 - lean, (ear + 56) / 2, 7, (ear - 58) / 2, -6)
    s.oval("cream", 8, 18, 9)
    s.shape("body", 60, 20, 74, 20, 76, 0, 62, 0)
    s.inside()
    s.oval("pink", 60 - lean, (ear + 60) / 2, 3, (ear - 66) / 2, 8)
    s.oval("pink", 74 - lean, (ear + 58) / 2, 3, (ear - 68) / 2, -6)
    s.blob("shade", 18, 4, 20, 22, 34, 26, 46, 12, 44, 3)
    s.oval("body", 33, 13, 10, 8)
    s.oval("eye", 73, 53, 4.5, 5)
    s.oval("pink", 86, 48, 3.5)
    s.oval("light", 60, 26, 6, 10)


def bear(s: Sketch, vary: Vary) -> None:
    """Sitting upright: small round ears, a pale muzzle and belly, thick arms and feet."""
    ear, arm = vary(9, 11), vary(-4, 8)
    s.oval("body", 50, 34, 29, 32)
    s.oval("body", 50, 76, 25, 21)
    s.oval("body", 29, 93, ear)
    s.oval("body", 71, 93, ear)
    s.oval("body", 22, 40 + arm, 10, 19, -28)
    s.oval("body", 78, 40 - arm, 10, 19, 28)
    s.oval("body", 27, 11, 17, 12)
    s.oval("body", 73, 11, 17, 12)
    s.inside()
    s.oval("light", 50, 34, 17, 19)
    s.oval("shade", 29, 93, 5)
    s.oval("shade", 71, 93, 5)
    s.oval("light", 50, 69, 13, 10)
    s.oval("dark", 50, 73, 6, 4.5)
    s.oval("eye", 39, 81, 4)
    s.oval("eye", 61, 81, 4)
    s.oval("light", 24, 11, 8, 7)
    s.oval("light", 76, 11, 8, 7)


def horse(s: Sketch, vary: Vary) -> None:
    """Standing in profile: long legs, an arched neck with a mane, a long hanging tail."""
    nod, step = vary(-5, 4), vary(-5, 6)
    s.blob("mane", 12, 56, 2, 46, 0, 24, 8, 20, 14, 40, 18, 54)
    s.blob("body", 10, 54, 16, 66, 44, 60, 66, 66, 72, 50, 64, 38, 40, 42, 18, 38)
    s.shape("body", 10, 52, 24, 44, 20 - step, 0, 12 - step, 0)
    s.shape("body", 20, 46, 32, 44, 32 + step, 0, 24 + step, 0)
    s.shape("body", 54, 46, 66, 44, 62 - step, 0, 54 - step, 0)
    s.shape("body", 60, 50, 73, 50, 74 + step, 0, 66 + step, 0)
    s.shape("body", 54, 62, 72, 46, 86, 82 + nod, 70, 92 + nod)
    s.blob("body", 70, 94 + nod, 82, 96 + nod, 102, 76 + nod, 98, 66 + nod, 88, 72 + nod, 76, 78 + nod)
    s.shape("body", 70, 92 + nod, 76, 92 + nod, 74, 106 + nod)
    s.inside()
    s.blob("mane", 72, 98 + nod, 62, 88 + nod, 50, 66, 56, 58, 64, 70, 74, 90 + nod)
    s.shape("shade", 24, 36, 32, 40, 32 + step, 6, 24 + step, 6)
    s.shape("shade", 54, 40, 62, 40, 62 - step, 6, 54 - step, 6)
    for x in (12 - step, 24 + step, 54 - step, 66 + step):
        s.shape("dark", x, 0, x + 8, 0, x + 8, 6, x, 6)
    s.oval("eye", 83, 87 + nod, 3.2)
    s.oval("dark", 97, 73 + nod, 2.5)


def turtle(s: Sketch, vary: Vary) -> None:
    """A high patterned shell over short feet, the head stretched out."""
    top, neck = vary(50, 60), vary(0, 10)
    s.blob("skin", 78, 12, 84, 26 + neck, 94, 36 + neck, 106, 32 + neck, 106, 20 + neck, 94, 12)
    s.shape("skin", 4, 16, -8, 8, 8, 8)
    s.shape("skin", 14, 14, 30, 14, 28, 0, 14, 0)
    s.shape("skin", 60, 14, 76, 14, 78, 0, 64, 0)
    s.blob("body", 2, 12, 10, 36, 42, top, 76, 38, 86, 12, 44, 8)
    s.inside()
    s.shape("shade", 4, 16, 84, 16, 86, 10, 44, 8, 2, 10)
    s.shape("shade", 32, 22, 52, 22, 60, 34, 43, 46, 26, 34)
    s.shape("light", 35, 25, 50, 25, 55, 33, 43, 42, 31, 33)
    s.shape("shade", 10, 20, 26, 20, 21, 32, 14, 32)
    s.shape("shade", 60, 20, 78, 20, 72, 32, 64, 34)
    s.oval("dark", 99, 29 + neck, 3.4)


def duck(s: Sketch, vary: Vary) -> None:
    """Swimming or standing in profile: a boat-shaped body, a round head, a flat orange bill."""
    head = vary(56, 64)
    s.blob("body", 0, 44, 12, 36, 40, 40, 66, 38, 76, 22, 62, 6, 30, 4, 8, 18)
    s.shape("body", 52, 34, 74, 24, 82, head, 62, head)
    s.oval("body", 72, head + 4, 16, 15)
    s.blob("beak", 85, head + 6, 104, head + 2, 104, head - 5, 84, head - 4)
    s.inside()
    s.blob("shade", 14, 30, 34, 34, 54, 30, 52, 18, 34, 14, 20, 20)
    s.blob("body", 20, 30, 34, 32, 48, 29, 46, 22, 34, 20)
    s.line("cream", 4, 59, head - 10, 80, head - 12)
    s.oval("eye", 77, head + 8, 3.8)


def fish(s: Sketch, vary: Vary) -> None:
    """Seen from the side: an oval with a forked tail, a fin above, two pale bands and a large eye."""
    tail, fin = vary(22, 28), vary(58, 68)
    s.shape("body", 26, 30, 0, 30 + tail, 8, 30, 0, 30 - tail)
    s.shape("shade", 40, 46, 44, fin, 72, 50)
    s.shape("shade", 48, 14, 44, 0, 64, 12)
    s.blob("body", 18, 30, 36, 48, 66, 52, 92, 38, 98, 28, 84, 14, 60, 8, 36, 13)
    s.inside()
    s.shape("pale", 38, 48, 47, 51, 47, 9, 38, 12)
    s.shape("pale", 58, 52, 66, 52, 66, 8, 58, 8)
    s.line("shade", 3, 76, 46, 70, 30, 76, 14)
    s.line("shade", 3, 4, 44, 18, 31)
    s.line("shade", 3, 4, 16, 18, 29)
    s.oval("white", 84, 34, 7)
    s.oval("dark", 85, 34, 4)


def bird(s: Sketch, vary: Vary) -> None:
    """In flight: both wings raised, a fanned tail, a pointed beak."""
    lift, back = vary(78, 92), vary(-4, 10)
    s.shape("shade", 50, 34, 62 + back, lift, 76, lift - 12, 74, 36)
    s.shape("body", 24, 34, -4, 44, -6, 34, -2, 24, 24, 24)
    s.blob("body", 18, 30, 40, 42, 70, 42, 82, 30, 62, 16, 36, 18)
    s.oval("body", 82, 40, 14, 13)
    s.shape("beak", 93, 44, 110, 38, 93, 34)
    s.shape("body", 38, 36, 20 + back, lift + 8, 38 + back, lift + 6, 54, lift - 18, 66, 36)
    s.inside()
    s.line("shade", 4, 48, 40, 32 + back, lift - 4)
    s.line("shade", 4, 56, 40, 44 + back, lift - 8)
    s.oval("light", 60, 24, 16, 6, -10)
    s.line("shade", 3, -2, 34, 18, 30)
    s.oval("eye", 86, 43, 3.6)


def butterfly(s: Sketch, vary: Vary) -> None:
    """Four spread wings with spots on a thin dark body."""
    top, low = vary(84, 94), vary(6, 14)
    for side in (-1, 1):
        s.blob(
            "body", 50 + side * 3, 52, 50 + side * 20, top, 50 + side * 48, top, 50 + side * 46, 58, 50 + side * 22, 46
        )
        s.blob(
            "body", 50 + side * 3, 48, 50 + side * 34, 46, 50 + side * 38, 22, 50 + side * 20, low, 50 + side * 6, 26
        )
    s.line("dark", 8, 50, 20, 50, 50, 50, 76)
    s.inside()
    for side in (-1, 1):
        s.oval("spot", 50 + side * 31, top - 18, 9, 8)
        s.oval("spot", 50 + side * 23, 30, 6)
        s.line("shade", 3, 50 + side * 6, 54, 50 + side * 22, top - 12)
        s.line("dark", 2.5, 50, 76, 50 + side * 8, 90, 50 + side * 16, 97)
    s.oval("dark", 50, 76, 6)
