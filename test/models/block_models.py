# SPDX-License-Identifier: Apache-2.0
"""Models of today's blocks, with random weights: what the corpus has no example of.

MODELS: {name: function giving the bytes}."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import Builder

NONE, SAME, VALID = tfl.ActivationFunctionType.NONE, tfl.Padding.SAME, tfl.Padding.VALID
EPSILON = 1e-5


class Net:
    """A graph that grows at its end; methods take and give indices of tensors."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.builder = Builder()
        self.graph = self.builder.graph("main")
        self.count = 0

    def shape(self, tensor):
        return self.graph.t.tensors[tensor].shape.tolist()

    def new(self, shape, what):
        self.count += 1
        return self.graph.tensor(f"{what}_{self.count}", shape)

    def const(self, values, kind=np.float32):
        self.count += 1
        return self.graph.const(f"const_{self.count}", np.asarray(values, kind))

    def op(self, name, inputs, shape, options=None, version=1):
        out = self.new(shape, name.lower())
        self.graph.op(name, inputs, [out], options, version)
        return out

    def weights(self, *shape, fan_in, axis):
        """As of a trained layer: some weights far larger than most, channels of different size."""
        values = self.random.standard_t(5, shape) / np.sqrt(fan_in)
        sizes = [1] * len(shape)
        sizes[axis] = shape[axis]
        return self.const(values * np.exp(0.4 * self.random.standard_normal(sizes)))

    def biases(self, count):
        return self.const(0.1 * self.random.standard_normal(count))

    def add(self, a, b):
        return self.op("ADD", [a, b], self.shape(a), tfl.AddOptionsT())

    def mul(self, a, b):
        return self.op("MUL", [a, b], self.shape(a), tfl.MulOptionsT())

    def scaled(self, x, mean, spread):
        return self.mul(x, self.const(mean + spread * self.random.standard_normal(self.shape(x)[-1])))

    def shifted(self, x):
        return self.add(x, self.biases(self.shape(x)[-1]))

    def mean(self, x, axes):
        rank = len(self.shape(x))
        shape = [1 if i - rank in axes else n for i, n in enumerate(self.shape(x))]
        axes = self.const([a + rank for a in axes], np.int32)
        return self.op("MEAN", [x, axes], shape, tfl.ReducerOptionsT(keepDims=True))

    def layer_norm(self, x):
        """MEAN, SQUARED_DIFFERENCE, MEAN, RSQRT, MUL, as converters write it."""
        center = self.mean(x, [-1])
        squares = self.op("SQUARED_DIFFERENCE", [x, center], self.shape(x), tfl.SquaredDifferenceOptionsT())
        variance = self.add(self.mean(squares, [-1]), self.const(EPSILON))
        scale = self.op("RSQRT", [variance], self.shape(variance))
        centered = self.op("SUB", [x, center], self.shape(x), tfl.SubOptionsT())
        return self.shifted(self.scaled(self.mul(centered, scale), 1, 0.3))

    def dense(self, x, units):
        shape = self.shape(x)
        weights = self.weights(units, shape[-1], fan_in=shape[-1], axis=0)
        options = tfl.FullyConnectedOptionsT(keepNumDims=True)
        return self.op("FULLY_CONNECTED", [x, weights, self.biases(units)], [*shape[:-1], units], options)

    def conv(self, x, channels, size, stride):
        batch, height, width, depth = self.shape(x)
        weights = self.weights(channels, size, size, depth, fan_in=size * size * depth, axis=0)
        options = tfl.Conv2DOptionsT(
            padding=VALID, strideW=stride, strideH=stride, dilationWFactor=1, dilationHFactor=1
        )
        shape = [batch, (height - size) // stride + 1, (width - size) // stride + 1, channels]
        return self.op("CONV_2D", [x, weights, self.biases(channels)], shape, options)

    def depthwise(self, x, height, width):
        depth = self.shape(x)[-1]
        weights = self.weights(1, height, width, depth, fan_in=height * width, axis=3)
        options = tfl.DepthwiseConv2DOptionsT(
            padding=SAME, strideW=1, strideH=1, depthMultiplier=1, dilationWFactor=1, dilationHFactor=1
        )
        return self.op("DEPTHWISE_CONV_2D", [x, weights, self.biases(depth)], self.shape(x), options)

    def reshape(self, x, shape):
        return self.op("RESHAPE", [x, self.const(shape, np.int32)], shape, tfl.ReshapeOptionsT(newShape=shape))

    def transpose(self, x, order):
        shape = [self.shape(x)[i] for i in order]
        return self.op("TRANSPOSE", [x, self.const(order, np.int32)], shape, tfl.TransposeOptionsT())

    def logistic(self, x):
        return self.op("LOGISTIC", [x], self.shape(x))

    def swish(self, x):
        return self.mul(x, self.logistic(x))

    def finish(self, inputs, outputs):
        self.graph.io(inputs, outputs)
        return self.builder.pack()


def convnext():
    """Two stages of ConvNeXt blocks: depthwise 7x7, layer norm, FULLY_CONNECTED four times as wide, GELU."""
    net = Net(11)
    image = net.new([1, 96, 96, 3], "image")
    x = net.layer_norm(net.conv(image, 48, 4, 4))
    for stage in range(2):
        if stage:
            x = net.conv(net.layer_norm(x), 96, 2, 2)
        for _ in range(2):
            depth = net.shape(x)[-1]
            y = net.dense(net.layer_norm(net.depthwise(x, 7, 7)), 4 * depth)
            y = net.op("GELU", [y], net.shape(y), tfl.GeluOptionsT(approximate=False))
            x = net.add(x, net.scaled(net.dense(y, depth), 0.3, 0.1))
    pooled = net.layer_norm(net.mean(x, [-3, -2]))
    return net.finish([image], [net.dense(net.reshape(pooled, [1, 96]), 100), x])


def conformer():
    """Two conformer blocks: half FULLY_CONNECTED, attention, convolution along time behind a GLU, half again."""
    net, time, depth, heads = Net(12), 96, 64, 4
    features = net.new([1, time, 80], "features")
    x = net.dense(features, depth)
    for _ in range(2):
        x = _feed_forward(net, x)
        x = net.add(x, _attention(net, net.layer_norm(x), heads))
        x = net.add(x, _convolution(net, net.layer_norm(x)))
        x = net.layer_norm(_feed_forward(net, x))
    return net.finish([features], [net.dense(x, 32), x])


def _feed_forward(net, x):
    depth = net.shape(x)[-1]
    y = net.dense(net.swish(net.dense(net.layer_norm(x), 4 * depth)), depth)
    return net.add(x, net.mul(y, net.const(0.5)))


def _attention(net, x, heads):
    _, time, depth = net.shape(x)
    size = depth // heads
    split = lambda t: net.transpose(net.reshape(t, [1, time, heads, size]), [0, 2, 1, 3])
    query, key, value = (split(net.dense(x, depth)) for _ in range(3))
    shape = [1, heads, time, time]
    scores = net.op("BATCH_MATMUL", [query, key], shape, tfl.BatchMatMulOptionsT(adjY=True))
    scores = net.mul(scores, net.const(size**-0.5))
    weights = net.op("SOFTMAX", [scores], shape, tfl.SoftmaxOptionsT(beta=1.0))
    mixed = net.op("BATCH_MATMUL", [weights, value], [1, heads, time, size], tfl.BatchMatMulOptionsT())
    return net.dense(net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [1, time, depth]), depth)


def _convolution(net, x):
    _, time, depth = net.shape(x)
    both = net.dense(x, 2 * depth)
    halves = [net.new([1, time, depth], "half") for _ in range(2)]
    net.graph.op("SPLIT", [net.const(2, np.int32), both], halves, tfl.SplitOptionsT(numSplits=2))
    gated = net.mul(halves[0], net.logistic(halves[1]))
    y = net.depthwise(net.reshape(gated, [1, time, 1, depth]), 15, 1)
    y = net.swish(net.shifted(net.scaled(y, 1, 0.2)))
    return net.dense(net.reshape(y, [1, time, depth]), depth)


MODELS = {"convnext_blocks": convnext, "conformer_blocks": conformer}
