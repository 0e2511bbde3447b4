"""Answers to the exercises of *Computational graphs*."""

import numpy as np

ANSWERS = {
    "sub_layer": [
        """
class Minus:
    def forward(self, a, b):
        return a + (-1) * b

    def backward(self, upstream):
        return [upstream * 1, upstream * -1]
""",
        """
class Sub:
    def __init__(self):
        self.local = np.array([1.0, -1.0])

    def forward(self, x, y):
        return np.subtract(x, y)

    def backward(self, dout):
        return dout * self.local
""",
    ],
    "div_layer": [
        """
class Div:
    def forward(self, x, y):
        self.inverse = y**-1
        self.z = x * self.inverse
        return self.z

    def backward(self, dout):
        return dout * self.inverse, -dout * self.z * self.inverse
""",
        """
class Div:
    def forward(self, x, y):
        self.local = (1 / y, -x / (y * y))
        return np.float64(x) / y

    def backward(self, dout):
        return np.array([dout * local for local in self.local])
""",
    ],
    "shop": [
        """
def shop(prices, counts, tax):
    subtotal = prices @ counts
    return [tax * subtotal, tax * counts, tax * prices, subtotal]
""",
        """
def shop(prices, counts, tax):
    subtotal = np.dot(counts, prices)
    dcosts = tax * np.ones_like(prices)
    return {
        "total": subtotal * tax,
        "dprices": (dcosts * counts).tolist(),
        "dcounts": dcosts * prices,
        "dtax": np.array(subtotal),
    }
""",
    ],
}

SAME = "the same numbers, written in another way"
UNDONE = "the second slip undoes the first"
RIGHT_AFTER_ALL = {
    "sub_layer": {
        "upstream * 1 -> upstream / 1": SAME,
        "upstream * 1 -> upstream": SAME,
        "upstream * -1 -> upstream / -1": SAME,
        "dout * self.local -> dout / self.local": SAME,
        "self.local = np.array([1.0, -1.0]) -> type(self).local = np.array([1.0, -1.0])": (
            "it is the same for all objects"
        ),
        "-1 * b -> b; a + b -> a - b": UNDONE,
        "1 -> -1; 1 -> -1": UNDONE,
    },
    "div_layer": {
        "np.float64(x) -> x": SAME,
        "np.array([dout * local for local in self.local]) -> "
        "[dout * local for local in self.local]": "a list will do",
    },
    "shop": {
        "total = dprices = dcounts = dtax = None -> pass": "the lines below set all four",
        "prices @ counts -> counts @ prices": SAME,
        "prices @ counts -> prices.T @ counts": "a vector has no transpose",
        "prices @ counts -> prices @ counts.T": "a vector has no transpose",
        "counts @ prices -> counts.T @ prices": "a vector has no transpose",
        "np.dot(counts, prices) -> np.dot(prices, counts)": SAME,
        "tax * np.ones_like(prices) -> tax / np.ones_like(prices)": SAME,
        "tax * np.ones_like(prices) -> tax": SAME,
        "np.array(subtotal) -> subtotal": "a number will do",
    },
}


def node(forward, backward):
    """Return a class of nodes; both functions get what the node remembers first."""

    class Node:
        def forward(self, x, y):
            self.memory = (x, y)
            return forward(x, y)

        def backward(self, dout):
            return backward(self, *self.memory, dout)

    return Node


def sub(backward, forward=lambda x, y: x - y):
    return node(forward, lambda self, x, y, d: backward(x, y, d))


def div(backward, forward=lambda x, y: x / y):
    return node(forward, lambda self, x, y, d: backward(x, y, d))


def shop(**changes):
    def answer(prices, counts, tax):
        total = np.sum(prices * counts)
        right = {"total": total * tax, "dprices": counts * tax, "dcounts": prices * tax}
        right["dtax"] = total
        for name, change in changes.items():
            right[name] = change(prices, counts, tax)
        return tuple(right.values())

    return answer


def in_a_loop(prices, counts, tax):
    dprices, dcounts, dtax = [], [], 0.0
    for price, count in zip(prices, counts, strict=True):
        dtax += price * count
        dprices.append(count * tax)
        dcounts.append(price * tax)
    return dtax * tax, np.array(dprices), np.array(dcounts), dtax


def helped(prices, counts, tax):
    return in_a_loop(prices, counts, tax)


def in_a_while_loop(prices, counts, tax):
    total, i = 0.0, 0
    while i < len(prices):
        total += prices[i] * counts[i]
        i += 1
    return total * tax, counts * tax, prices * tax, total


def by_nudging(prices, counts, tax):
    nudges, total = np.eye(len(prices)), (prices @ counts) * tax
    dprices = ((prices + nudges) @ counts) * tax - total
    dcounts = ((counts + nudges) @ prices) * tax - total
    return total, dprices, dcounts, (prices @ counts) * (tax + 1) - total


def scribbling(prices, counts, tax):
    right = shop()(prices, counts, tax)
    prices *= 2
    return right


class Shared:
    """A node whose memory belongs to the class."""

    def forward(self, x, y):
        Shared.x, Shared.y = x, y
        return x / y

    def backward(self, dout):
        return dout / self.y, -dout * self.x / self.y**2


SLIPS = {
    "sub_layer": [
        (sub(None, lambda x, y: y - x), "that is y - x"),
        (sub(None, lambda x, y: x + y), "that is x + y"),
        (sub(lambda x, y, d: (d, d)), "dy is not right yet: the sign: if y grows, x - y falls"),
        (sub(lambda x, y, d: (-d, d)), "another order: return dx and dy"),
        (sub(lambda x, y, d: (1.0, -1.0)), "multiply it by dout"),
        (sub(lambda x, y, d: (d * y, -d * x)), "only a product multiplies by an input"),
        (sub(lambda x, y, d: (d * x, -d * y)), "only a product multiplies by an input"),
        (sub(lambda x, y, d: d), "Return two gradients, dx and dy; got float"),
    ],
    "div_layer": [
        (div(None, lambda x, y: y / x), "that is y / x"),
        (div(None, lambda x, y: x * y), "that is x * y"),
        (div(lambda x, y, d: (1 / y, -x / y**2)), "multiply it by dout"),
        (div(lambda x, y, d: (d / y, d * x / y**2)), "the sign: if y grows, x / y falls"),
        (div(lambda x, y, d: (d / y, -d / y**2)), "the x is missing from dz/dy = -x / y²"),
        (div(lambda x, y, d: (d / y, -d * x / y)), "dz/dy = -x / y², with y squared"),
        (div(lambda x, y, d: (d / y, d * x / y)), "with a minus and with y squared"),
        (div(lambda x, y, d: (d / y, -d * y / x**2)), "x and y are exchanged in dz/dy"),
        (div(lambda x, y, d: (d * y, d * x)), "a product swaps its inputs; here dz/dx = 1 / y"),
        (div(lambda x, y, d: (d / x, -d * x / y**2)), "dx is not right yet: dz/dx = 1 / y."),
        (div(lambda x, y, d: (-d * x / y**2, d / y)), "another order: return dx and dy"),
        (Shared, "Two nodes of the class disturb each other"),
    ],
    "shop": [
        (shop(total=lambda p, c, tax: p @ c), "total is not right yet: the tax is missing"),
        (shop(dprices=lambda p, c, tax: c), "dprices is not right yet: the tax lies on the way"),
        (shop(dcounts=lambda p, c, tax: p), "dcounts is not right yet: the tax lies on the way"),
        (
            shop(dprices=lambda p, c, tax: c, dcounts=lambda p, c, tax: p),
            "dprices and dcounts are not right yet: the tax lies on the way",
        ),
        (shop(dcounts=lambda p, c, tax: c * tax), "multiplication swaps"),
        (shop(dprices=lambda p, c, tax: p * tax), "multiplication swaps"),
        (shop(dprices=lambda p, c, tax: np.sum(c * tax)), "one entry a fruit: do not sum"),
        (shop(dtax=lambda p, c, tax: p @ c * tax), "the tax must not count itself"),
        (shop(dtax=lambda p, c, tax: 1.0), "the tax is an input: a product swaps"),
        (shop(dtax=lambda p, c, tax: tax), "the tax is an input: a product swaps"),
        (shop(dtax=lambda p, c, tax: p * c), "one tax for all: sum over the fruits"),
        (shop(dtax=lambda p, c, tax: None), "Not yet: dtax came out as None"),
        (shop(dprices=lambda p, c, tax: c[:2] * tax), "dprices must have shape (3,)"),
        (shop(total=lambda p, c, tax: p * c * tax), "total must be a single number"),
        (scribbling, "changed what it was given"),
        (in_a_loop, "The numbers are right, but there is a loop"),
        (in_a_while_loop, "The numbers are right, but there is a loop"),
        (helped, "The numbers are right, but there is a loop"),
        (by_nudging, "The numbers are right, but not beside a fruit for 10¹⁸ yen"),
    ],
}
