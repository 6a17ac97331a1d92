"""What the vehicles look like. Each function sketches one kind on a grid of about 100 x 100, y up, facing right;
`vary` draws what differs between its variants.
"""

from __future__ import annotations

from imageless.world.sketch import Sketch, Vary


def car(s: Sketch, vary: Vary) -> None:
    """Low and rounded, two side windows under an arched roof."""
    roof, slope = vary(46, 52), vary(0, 8)
    s.blob("body", 0, 14, 3, 28, 18, 33, 30 - slope, 38, 40, roof, 62, roof, 78, 34, 96, 28, 100, 14, 50, 10)
    s.oval("tyre", 22, 11, 12)
    s.oval("tyre", 78, 11, 12)
    s.inside()
    s.shape("glass", 29 - slope / 2, 33, 40, roof - 4, 48, roof - 3, 48, 33)
    s.shape("glass", 52, 33, 52, roof - 3, 61, roof - 4, 74, 33)
    s.line("shade", 3, 3, 19, 97, 19)
    s.line("shade", 2.5, 50, 14, 50, 33)
    s.oval("lamp", 96, 23, 4)
    s.oval("red", 3, 23, 3)
    s.oval("metal", 22, 11, 5.5)
    s.oval("metal", 78, 11, 5.5)


def truck(s: Sketch, vary: Vary) -> None:
    """A tall closed box behind a lower cab with a gap between them, six wheels."""
    box, cab = vary(62, 70), vary(42, 50)
    s.shape("body", 0, 16, 62, 16, 62, box, 0, box)
    s.shape("dark", 0, 9, 96, 9, 96, 17, 0, 17)
    s.shape("body", 66, 14, 66, cab, 84, cab, 94, 32, 100, 30, 100, 14)
    for x in (14, 36, 84):
        s.oval("tyre", x, 10, 11)
    s.inside()
    s.shape("light", 4, 22, 58, 22, 58, box - 5, 4, box - 5)
    for x in (20, 38):
        s.line("shade", 3, x, 22, x, box - 5)
    s.shape("glass", 72, 31, 72, cab - 4, 82, cab - 4, 90, 31)
    s.oval("lamp", 98, 21, 3.5)
    for x in (14, 36, 84):
        s.oval("metal", x, 10, 5)


def bus(s: Sketch, vary: Vary) -> None:
    """One long box with a row of windows along it and a pale stripe."""
    top, windows = vary(48, 56), 5 if vary(0, 1) < 0.5 else 4
    s.shape("body", 0, 10, 0, top - 4, 4, top, 95, top, 100, top - 6, 100, 10)
    s.oval("tyre", 20, 9, 10)
    s.oval("tyre", 78, 9, 10)
    s.inside()
    step = 80 / windows
    for number in range(windows):
        x = 4 + number * step
        s.shape("glass", x + 1, 30, x + step - 5, 30, x + step - 5, top - 8, x + 1, top - 8)
    s.shape("glass", 88, 14, 96, 14, 96, top - 8, 88, top - 8)
    s.shape("pale", 0, 20, 84, 20, 84, 25, 0, 25)
    s.oval("metal", 20, 9, 4.5)
    s.oval("metal", 78, 9, 4.5)


def bicycle(s: Sketch, vary: Vary) -> None:
    """Two large open wheels, a coloured frame, saddle and handlebar."""
    bar = vary(60, 68)
    for x in (21, 79):
        s.ring("tyre", x, 21, 21, 6.5)
    s.line("body", 8, 21, 21, 36, 50)
    s.line("body", 8, 21, 21, 48, 20)
    s.line("body", 8, 48, 20, 36, 52)
    s.line("body", 8, 48, 20, 70, 50)
    s.line("body", 8, 36, 50, 70, 50)
    s.line("body", 8, 79, 21, 69, bar)
    s.line("dark", 6, 60, bar + 3, 70, bar, 80, bar + 4)
    s.line("dark", 7, 26, 57, 44, 56)
    s.inside()
    for x in (21, 79):
        s.oval("metal", x, 21, 4)


def boat(s: Sketch, vary: Vary) -> None:
    """A broad hull under a mast with two sails."""
    mast, jib = vary(94, 106), vary(22, 30)
    s.line("wood", 4, 48, 20, 48, mast)
    s.shape("cream", 51, mast - 4, 51, 30, 90, 30)
    s.shape("body", 45, mast - 12, 45, 32, jib - 10, 32)
    s.shape("body", 0, 29, 16, 0, 80, 0, 100, 29)
    s.inside()
    s.shape("shade", 10, 10, 16, 0, 80, 0, 87, 10)
    s.shape("pale", 2, 25, 98, 25, 99, 29, 0, 29)
    s.line("shade", 2.5, 51, 50, 78, 44)
    for x in (32, 50, 68):
        s.oval("glass", x, 15, 4)


def airplane(s: Sketch, vary: Vary) -> None:
    """In the air, from the side: a tube with a swept wing, a tail fin and a row of windows."""
    fin, wing = vary(58, 66), vary(26, 40)
    s.shape("shade", 46, 34, 32, 54, 40, 54, 66, 34)
    s.shape("body", 2, 34, 0, fin, 10, fin, 26, 36)
    s.blob("body", 0, 34, 20, 40, 60, 41, 88, 38, 102, 28, 88, 20, 50, 18, 16, 24)
    s.shape("shade", 8, 30, -6, 20, 2, 19, 22, 27)
    s.shape("body", 44, 26, wing - 12, -4, wing, -4, 68, 24)
    s.inside()
    s.shape("shade", 44, 26, wing - 4, 4, wing, -1, 60, 24)
    for x in (26, 37, 48, 59, 70):
        s.oval("glass", x, 32, 3.4)
    s.shape("glass", 82, 37, 94, 33, 92, 29, 82, 30)
    s.line("light", 3, 20, 22, 86, 22)
