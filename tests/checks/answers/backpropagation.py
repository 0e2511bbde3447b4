"""Answers to the exercises of *Backpropagation*."""

import numpy as np

from rnnbook.functions import sigmoid, softmax

ANSWERS = {
    "leaky_relu": [
        """
class LeakyReLU:
    def __init__(self, negative_slope=0.1):
        self.negative_slope = negative_slope

    def forward(self, x):
        self.x = x
        return np.maximum(x, self.negative_slope * x)

    def backward(self, dout):
        dx = np.array(dout, copy=True)
        dx[self.x <= 0] *= self.negative_slope
        return dx
""",
        """
class Leaky:
    def forward(self, x):
        self.y = x.clip(min=0) + 0.1 * x.clip(max=0)
        return self.y.tolist()

    def backward(self, dout):
        up = self.y > 0
        return (up * dout + 0.1 * ~up * dout).astype(np.float32)
""",
        """
class LeakyReLU:
    def forward(self, x):
        self.shape = np.shape(x)
        self.flat = [float(a) for a in np.ravel(x)]
        return np.reshape([max(a, a / 10) for a in self.flat], self.shape)

    def backward(self, dout):
        both = zip(self.flat, np.ravel(dout))
        return np.reshape([d / 10 if a <= 0 else d for a, d in both], self.shape)
""",
    ],
    "mean_squared_error": [
        """
class MSE:
    def forward(self, y, t):
        self.y, self.t, self.N = y, t, y.shape[0]
        return np.mean(np.sum((t - y) ** 2, axis=-1)) / 2

    def backward(self, dout=1.0):
        return dout / self.N * np.subtract(self.y, self.t)
""",
        """
class HalfSquares:
    def forward(self, prediction, target):
        self.error = (prediction - target) / len(target)
        return float(np.vdot(self.error, prediction - target) / 2)

    def backward(self, dout):
        return (self.error * dout).tolist()
""",
        """
class HalfSquares:
    def forward(self, y, t):
        self.diff = y - t
        total = 0.0
        for row in self.diff:
            total += row @ row
        return np.array(total / (2 * len(y)), dtype=np.float32)

    def backward(self, dout=1.0):
        grad = np.empty_like(self.diff)
        for n, row in enumerate(self.diff):
            grad[n] = dout * row / len(grad)
        return grad
""",
    ],
    "softmax_layer": [
        """
class Softmax:
    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        shifted = np.exp(x - x.max(axis=self.dim, keepdims=True))
        self.output = shifted / shifted.sum(axis=self.dim, keepdims=True)
        return self.output

    def backward(self, grad_output):
        inner = (grad_output * self.output).sum(axis=self.dim, keepdims=True)
        return self.output * grad_output - self.output * inner
""",
        """
class Softmax:
    def forward(self, x):
        self.log_y = x - np.logaddexp.reduce(x, axis=-1)[..., None]
        return np.exp(self.log_y)

    def backward(self, dout):
        y = np.exp(self.log_y)
        jacobian = y[..., None] * (np.eye(y.shape[-1]) - y[..., None, :])
        return np.einsum("...j,...ji->...i", dout, jacobian)
""",
        """
class Softmax:
    def forward(self, x):
        self.x = x
        return self.of(x)

    def of(self, x):
        if x.ndim == 1:
            e = np.exp(x - max(x))
            return [a / sum(e) for a in e]
        return [self.of(row) for row in x]

    def backward(self, dout):
        y = softmax(self.x)
        outer = np.matmul(y[..., None], y[..., None, :])
        return y * dout - np.matmul(outer, dout[..., None]).squeeze(-1)
""",
    ],
}

SAME = "the same numbers, written in another way"
FIXED = "it is the same for all objects"
RIGHT_AFTER_ALL = {
    "leaky_relu": {
        "self.negative_slope = negative_slope -> type(self).negative_slope = negative_slope": FIXED,
        "np.maximum(x, self.negative_slope * x) -> np.maximum(self.negative_slope * x, x)": SAME,
        "np.array(dout, copy=True) -> np.array(dout)": "np.array copies anyway",
        "float(a) -> a": "any type of number will do",
        "max(a, a / 10) -> max(a / 10, a)": SAME,
    },
    "mean_squared_error": {
        "t - y -> y - t": "the sign goes with the square",
        "-1 -> 1": "of two axes, axis 1 is the last",
        "1 -> -1": "of two axes, axis 1 is the last",
        "float(np.vdot(self.error, prediction - target) / 2) -> "
        "np.vdot(self.error, prediction - target) / 2": "any type of number will do",
        "np.vdot(self.error, prediction - target) -> "
        "np.vdot(prediction - target, self.error)": SAME,
        "row @ row -> row.T @ row": "a vector has no transpose",
        "row @ row -> row @ row.T": "a vector has no transpose",
        "np.array(total / (2 * len(y)), dtype=np.float32) -> np.array(total / (2 * len(y)))": (
            "any type of number will do"
        ),
        "np.array(total / (2 * len(y)), dtype=np.float32) -> total / (2 * len(y))": (
            "any type of number will do"
        ),
    },
    "softmax_layer": {
        "self.dim = dim -> type(self).dim = dim": FIXED,
    },
}


def layer(forward, backward):
    """Return a class of layers; both functions get what the layer remembers first."""

    class Layer:
        def forward(self, *arguments):
            self.memory = arguments
            return forward(*arguments)

        def backward(self, dout=1.0):
            return backward(*self.memory, dout)

    return Layer


def leaky(forward=lambda x: np.where(x > 0, x, 0.1 * x), slope=None, backward=None):
    return layer(forward, backward or (lambda x, dout: dout * slope(x)))


def squares(forward=lambda y, t: 0.5 * np.sum((y - t) ** 2) / len(y), backward=None):
    return layer(forward, backward or (lambda y, t, dout: dout * (y - t) / len(y)))


def squares_back(self, dout=2.0):
    y, t = self.memory
    return dout * (y - t) / len(y)


def soft(backward):
    return layer(softmax, lambda x, dout: backward(softmax(x), dout))


def normalised(axis=-1, peak=-1):
    """Return a forward pass of softmax: the axes of its sum and of its maximum."""

    def forward(x):
        e = np.exp(x - (0 if peak == "none" else x.max(axis=peak, keepdims=True)))
        return e / e.sum(axis=axis, keepdims=True)

    return forth(forward)


def forth(forward):
    return layer(forward, lambda x, dout: way_back(softmax(x), dout))


def way_back(y, dout):
    return y * (dout - row_sum(dout * y))


def row_sum(array):
    return array.sum(axis=-1, keepdims=True)


def scribble(x):
    x[x <= 0] *= 0.1
    return x


class Once:
    """A layer that remembers its first slopes for ever."""

    slope = None

    def forward(self, x):
        if self.slope is None:
            self.slope = np.where(x > 0, 1, 0.1)
        return np.where(x > 0, x, 0.1 * x)

    def backward(self, dout):
        return dout * self.slope


class Shared(Once):
    """A layer whose memory belongs to the class."""

    def forward(self, x):
        Shared.slope = np.where(x > 0, 1, 0.1)
        return x * Shared.slope


class Spoilt(Once):
    """A layer whose way back writes into its memory."""

    def forward(self, x):
        self.slope = np.where(x > 0, 1, 0.1)
        return x * self.slope

    def backward(self, dout):
        self.slope *= dout
        return self.slope


class SpoiltSquares:
    """A loss whose way back writes into its memory."""

    def forward(self, y, t):
        self.diff = y - t
        return 0.5 * np.sum(self.diff**2) / len(y)

    def backward(self, dout=1.0):
        self.diff *= dout / len(self.diff)
        return self.diff


class Looping(layer(softmax, None)):
    """A layer that takes the rows one by one."""

    def backward(self, dout):
        flat = dout.reshape(-1, dout.shape[-1])
        rows = zip(self.memory[0].reshape(flat.shape), flat, strict=True)
        return np.reshape([self.row(softmax(x), d) for x, d in rows], dout.shape)

    def row(self, y, dout):
        return (np.diag(y) - np.outer(y, y)) @ dout


class Helped(layer(softmax, None)):
    """A layer with its loop in another method."""

    def backward(self, dout):
        return self.added_up(softmax(self.memory[0]), dout)

    def added_up(self, y, dout):
        shared, i = 0, 0
        while i < y.shape[-1]:
            shared = shared + dout[..., i] * y[..., i]
            i += 1
        return y * (dout - shared[..., None])


SLIPS = {
    "leaky_relu": [
        (leaky(lambda x: np.maximum(x, 0)), "y is not right yet: that is plain ReLU"),
        (leaky(lambda x: np.where(x > 0, x, 0.01 * x)), "y is not right yet: the slope below 0"),
        (leaky(lambda x: np.where(x < 0, x, 0.1 * x)), "y is not right yet: the two sides"),
        (leaky(lambda x: np.where(x > 0, x, -0.1 * x)), "0.1 x, without a minus"),
        (leaky(lambda x: np.where(x > 0, x, 0.1)), "0.1 times x, not the number 0.1"),
        (leaky(lambda x: np.where(x > 0, x, -0.1)), "0.1 times x, not the number 0.1"),
        (leaky(lambda x: 0.1 * x), "where x > 0, y is x itself"),
        (leaky(lambda x: np.maximum(x, 0.1)), "0.1 times x, not the number 0.1"),
        (leaky(lambda x: x if x > 0 else 0.1 * x), "np.where in place of if, for arrays"),
        (leaky(scribble), "forward changed what it was given"),
        (leaky(slope=lambda x: x > 0), "dx is not right yet: that is plain ReLU"),
        (leaky(slope=lambda x: np.where(x > 0, 1, 0.01)), "dx is not right yet: the slope below"),
        (leaky(slope=lambda x: np.where(x > 0, 0.1, 1)), "dx is not right yet: the two sides"),
        (leaky(slope=lambda x: 1), "times 0.1 where x is not positive"),
        (leaky(slope=lambda x: 0.1), "where x > 0 all of dout flows back"),
        (leaky(slope=lambda x: np.where(x >= 0, 1, 0.1)), "at exactly 0 the slope is 0.1"),
        (leaky(slope=lambda x: 0.55 + 0.45 * np.sign(x)), "at exactly 0 the slope is 0.1"),
        (leaky(slope=lambda x: (x > 0) + 0.1 * (x < 0)), "at exactly 0 the slope is 0.1"),
        (leaky(slope=lambda x: np.where(x > 0, x, 0.1 * x)), "times the slope, not times y"),
        (leaky(backward=lambda x, d: np.where(x > 0, 1, 0.1)), "multiply it by dout"),
        (leaky(backward=lambda x, d: np.where(x > 0, 1, 0.1) + d), "the slope, not plus"),
        (leaky(backward=lambda x, d: np.where(x > 0, d, 0.1)), "times dout also where x < 0"),
        (leaky(backward=lambda x, d: np.where(x > 0, 1, 0.1 * d)), "times dout also where x > 0"),
        (leaky(backward=lambda x, d: np.where(d > 0, d, 0.1 * d)), "looks at x, not at dout"),
        (leaky(backward=lambda x, d: scribble(d)), "backward changed what it was given"),
        (Once, "A second forward pass of the same object must replace"),
        (Shared, "A second object of the class changed what the first remembers"),
        (Spoilt, "A second call of backward gave other numbers"),
    ],
    "mean_squared_error": [
        (squares(lambda y, t: np.sum((y - t) ** 2) / len(y)), "the factor ½ is missing"),
        (squares(lambda y, t: np.sum((y - t) ** 2) / 2), "divide by the number of examples N"),
        (squares(lambda y, t: np.sum((y - t) ** 2)), "and the division by N are missing"),
        (squares(lambda y, t: 0.5 * np.mean((y - t) ** 2)), "not by y.size, all the numbers"),
        (squares(lambda y, t: np.mean((y - t) ** 2)), "np.mean divides by all the numbers"),
        (squares(lambda y, t: np.sum((y - t) ** 2) / 2 / len(y.T)), "not by the columns"),
        (squares(lambda y, t: np.sqrt(0.5 * np.sum((y - t) ** 2) / len(y))), "has no root."),
        (squares(lambda y, t: np.sqrt(np.mean((y - t) ** 2))), "the loss has no root"),
        (squares(lambda y, t: np.linalg.norm(y - t) / len(y) ** 0.5), "the loss has no root"),
        (squares(lambda y, t: 0.5 * np.abs(y - t).sum() / len(y)), "not taken as |y - t|"),
        (squares(lambda y, t: 0.5 * np.sum(y - t) ** 2 / len(y)), "square each difference first"),
        (squares(lambda y, t: 0.5 * np.sum(y - t) / len(y)), "each difference is squared"),
        (squares(lambda y, t: 0.5 * np.sum(y**2 - t**2) / len(y)), "the difference: (y - t)²"),
        (squares(lambda y, t: 0.5 * np.sum((y - t) ** 2, axis=1) / len(y)), "a single number"),
        (
            type("Two", (squares(),), {"backward": squares_back}),
            "backward() without one must be that of dout = 1",
        ),
        (squares(backward=lambda y, t, d: (t - y) / len(y) * d), "where y is too large"),
        (squares(backward=lambda y, t, d: (y - t) * d), "divide by N: the loss is a mean"),
        (squares(backward=lambda y, t, d: 2 * (y - t) * d), "and the sum is divided by N"),
        (squares(backward=lambda y, t, d: 2 * (y - t) / len(y) * d), "the 2 of the square."),
        (squares(backward=lambda y, t, d: (y - t) / 2 / len(y) * d), "the 2 of the square."),
        (squares(backward=lambda y, t, d: (y - t) / y.size * d), "not by y.size"),
        (squares(backward=lambda y, t, d: 2 * (y - t) / y.size * d), "not by y.size"),
        (squares(backward=lambda y, t, d: (y - t) / len(y.T) * d), "not by the columns"),
        (squares(backward=lambda y, t, d: y / len(y) * d), "the difference y - t, not y alone"),
        (squares(backward=lambda y, t, d: 0 * y + d / len(y)), "has the difference in it"),
        (squares(lambda y, t: np.linalg.norm(y - t) / len(y) / 2), "the loss has no root"),
        (squares(lambda y, t: np.sum((y - t) ** 2) / 6), "N is that of this batch: len(y)"),
        (squares(backward=lambda y, t, d: (y - t) / 3 * d), "N is that of this batch: len(y)"),
        (squares(backward=lambda y, t, d: (y - t) / len(y) + d), "times dout, not plus"),
        (SpoiltSquares, "A second call of backward gave other numbers"),
        (squares(backward=lambda y, t, d: (y - t) / len(y) / d), "times dout, not divided by"),
        (squares(backward=lambda y, t, d: (y - t) / len(y)), "it does not depend on dout"),
        (
            squares(
                backward=lambda y, t, d: (y - t) / len(y) * d * np.sum((y - t) ** 2) / len(y) / 2
            ),
            "does not have the loss in it",
        ),
    ],
    "softmax_layer": [
        (normalised(axis=None), "each row has a sum of its own"),
        (normalised(axis=0), "not over the first"),
        (forth(lambda x: softmax(x.T).T), "not over the first"),
        (
            forth(lambda x: softmax(x.swapaxes(1 % x.ndim, -1)).swapaxes(1 % x.ndim, -1)),
            "axis=-1 is that for any number of axes",
        ),
        (normalised(axis=1), "axis=-1 is that for any number of axes"),
        (
            forth(lambda x: softmax(x.reshape(len(x), -1)).reshape(x.shape)),
            "axis=-1 is that for any number of axes",
        ),
        (forth(np.exp), "divide by the sum of each row"),
        (forth(lambda x: np.exp(x - x.max(-1, keepdims=True))), "divide by the sum of each"),
        (forth(lambda x: x / row_sum(x)), "np.exp is missing"),
        (forth(lambda x: np.log(softmax(x))), "the logarithm of the probabilities"),
        (forth(sigmoid), "the sigmoid of each score"),
        (forth(lambda x: softmax(-x)), "the largest score has the largest probability"),
        (forth(lambda x: np.exp(x) / np.exp(x).sum(-1)), "(keepdims?)"),
        (forth(lambda x: softmax(x)[0]), "must have shape (2, 3), got an array of shape"),
        (normalised(peak="none"), "subtract the maximum of each row before np.exp"),
        (
            forth(lambda x: np.nan_to_num(normalised(peak="none")().forward(x))),
            "y for scores of ±800 is not right yet: subtract the maximum of each row",
        ),
        (normalised(peak=None), "±800 is not right yet: each row has a maximum of its own"),
        (normalised(peak=0), "(2, 3) is not right yet: each row has a maximum of its own"),
        (normalised(peak=1), "(2, 4, 3) is not right yet: each row has a maximum of its own"),
        (forth(lambda x: softmax(np.clip(x, -500, 500))), "scores cut off at a bound lose"),
        (soft(lambda y, d: -way_back(y, d)), "dx is not right yet: the sign."),
        (soft(lambda y, d: y * (1 - y)), "multiply it by dout"),
        (soft(lambda y, d: d * y * (1 - y)), "every y depends on every x"),
        (soft(lambda y, d: y * (d - d * y)), "every y depends on every x"),
        (soft(lambda y, d: d * y), "still to subtract"),
        (soft(lambda y, d: -y * row_sum(d * y)), "the path through y_i itself"),
        (soft(lambda y, d: d - row_sum(d * y)), "dx is not right yet: times y."),
        (soft(lambda y, d: d - y * row_sum(d * y)), "dx is not right yet: times y also dout."),
        (soft(lambda y, d: y * (1 - y) * d - y * row_sum(d * y)), "is counted twice"),
        (soft(lambda y, d: y * (d + row_sum(d * y))), "is subtracted, not added"),
        (soft(lambda y, d: y * d - row_sum(d * y)), "times y also what is subtracted"),
        (soft(lambda y, d: y * (d - np.sum(d * y))), "the sum runs over each row"),
        (soft(lambda y, d: y * (d - np.sum(d * y, axis=0))), "the sum runs over each row"),
        (
            soft(lambda y, d: y * (d - np.sum(d * y, axis=min(1, y.ndim - 1), keepdims=True))),
            "the sum runs over each row",
        ),
        (soft(lambda y, d: y * (d - row_sum(d))), "not of dout."),
        (soft(lambda y, d: y * (d - row_sum(y))), "not of y."),
        (soft(lambda y, d: y * (d - np.mean(d * y, axis=-1, keepdims=True))), "a sum, not a mean"),
        (soft(lambda y, d: y - d), "for softmax with cross-entropy"),
        (soft(lambda y, d: way_back(y, d) / len(y)), "is the business of the loss"),
        (
            soft(lambda y, d: np.where(y > 0, way_back(y, d) / y * y, np.log(y))),
            "remember y in forward",
        ),
        (Looping, "The numbers are right, but backward has a loop"),
        (Helped, "The numbers are right, but backward has a loop"),
    ],
}
