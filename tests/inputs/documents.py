"Boxes of one word on a page in any unit, and boxes that are none."
import numpy as np

BOX = [[250, 50, 750, 75]]


def page(*boxes, **more): return {"words": ["Total"] * len(boxes), "boxes": list(boxes), **more}


CASES = [(name, make, BOX) for name, make in {
    "thousandths": lambda: page((250, 50, 750, 75)), "a list": lambda: page([250, 50, 750, 75]), "floats": lambda: page((250.0, 50.2, 749.8, 75.0)), "NumPy": lambda: {"words": np.array(["Total"]), "boxes": np.array([[250, 50, 750, 75]])}, "fractions": lambda: page((0.25, 0.05, 0.75, 0.075)),
    "pixels": lambda: page((100, 40, 300, 60), size=(400, 800)), "pixels beyond 1,000": lambda: page((500, 200, 1500, 300), size=(2000, 4000)), "fractions with a size of one": lambda: page((0.25, 0.05, 0.75, 0.075), size=(1, 1)),
}.items()] + [
    ("fractions of several words", lambda: page((0, 0, 1, 0.5), (0.5, 0.25, 1, 1)), [[0, 0, 1000, 500], [500, 250, 1000, 1000]]), ("nothing but zeros", lambda: page((0, 0, 0, 0)), [[0, 0, 0, 0]]), ("whole numbers of a page of one pixel", lambda: page((0, 0, 1, 1)), [[0, 0, 1, 1]]),
    ("pixels without a size", lambda: page((500, 200, 1500, 300)), (ValueError, "beyond a page of 1000 by 1000")), ("beyond the size", lambda: page((0, 0, 500, 20), size=(400, 800)), (ValueError, "beyond a page of 400 by 800")), ("left and right exchanged", lambda: page((750, 50, 250, 75)), (ValueError, "number 0 is (750, 50, 250, 75)")),
    ("above and below exchanged", lambda: page((250, 75, 750, 50)), (ValueError, "number 0")), ("negative", lambda: page((-1, 50, 750, 75)), (ValueError, "number 0")), ("not a number", lambda: page((float("nan"), 50, 750, 75)), (ValueError, "number 0")), ("infinite", lambda: page((0, 50, 750, float("inf"))), (ValueError, "number 0")),
    ("three numbers", lambda: page((1, 2, 3)), (ValueError, "number 0")), ("five numbers", lambda: page((1, 2, 3, 4, 5)), (ValueError, "number 0")), ("words for numbers", lambda: page("abcd"), (ValueError, "number 0")), ("no box", lambda: page(None), (ValueError, "number 0")), ("size of a square", lambda: page((0, 0, 1, 1), size=100), (ValueError, "size is 100")),
    ("size of nothing", lambda: page((0, 0, 1, 1), size=(0, 10)), (ValueError, "size is (0, 10)")), ("mixed units", lambda: page((0.25, 0.05, 0.75, 0.075), (250, 50, 750, 75)), (ValueError, "number 0 is (0.25, 0.05, 0.75, 0.075)")),
]
