# SPDX-License-Identifier: Apache-2.0
"""What models are run on: pictures where an input can be one, fixed random numbers elsewhere.

All pictures are in the package scikit-image itself; nothing is downloaded."""

import functools

import numpy as np

import litert_worker

# Of the astronaut: (y, x, side). The whole of it, her face, what is around her.
CROPS = ((0, 128, 256), (0, 0, 512), (0, 150, 180), (60, 170, 120), (200, 60, 300), (100, 0, 400))
CALIBRATION = ("coffee", "chelsea", "rocket", "camera")
RUNS = len(CROPS)
OPEN_SIDE = 224  # of a picture whose size the model leaves open

# Of pixels, by what a model's name begins with, where it is not [0, 1].
RANGES = (
    ("face_detection", (-1.0, 1.0)),
    ("pose_detection", (-1.0, 1.0)),
    ("mobilenet_v3", (0.0, 255.0)),
)


def value_range(name):
    stem = name.rsplit("/", 1)[-1]
    return next((found for start, found in RANGES if stem.startswith(start)), (0.0, 1.0))


def shape_of(details):
    """The shape to run an input with, where it is open."""
    shape, signature = details["shape"].tolist(), details["shape_signature"].tolist()
    if len(shape) == 4 and signature[1:3] == [-1, -1]:
        return [1, OPEN_SIDE, OPEN_SIDE, shape[3]]
    return shape


def is_picture(details):
    shape = shape_of(details)
    if len(shape) != 4 or np.dtype(details["dtype"]) != np.float32:
        return False
    return shape[0] == 1 and min(shape[1:3]) >= 24 and shape[3] in (1, 3, 4)


def _fitted(picture, height, width, channels):
    """In [0, 1]; gray for one channel, opaque for four."""
    from skimage import color, transform

    if picture.ndim == 2:
        picture = color.gray2rgb(picture)
    picture = transform.resize(picture, (height, width), anti_aliasing=True)
    if channels == 1:
        return picture.mean(-1, keepdims=True)
    return picture if channels == 3 else np.concatenate([picture, np.ones_like(picture[..., :1])], -1)


@functools.lru_cache(maxsize=8)
def _crops(height, width, channels):
    from skimage import data

    whole = data.astronaut()
    return [_fitted(whole[y : y + side, x : x + side], height, width, channels) for y, x, side in CROPS]


def _scaled(picture, limits):
    low, high = limits
    return (picture * (high - low) + low).astype(np.float32)[None]


def feeds(name, inputs, way):
    """RUNS lists of values, one value for each input; `way` is one of litert_worker.WAYS."""
    made = []
    for run in range(RUNS):
        values = []
        for place, details in enumerate(inputs):
            if is_picture(details):
                values.append(_scaled(_crops(*shape_of(details)[1:])[run], value_range(name)))
            else:
                values.append(litert_worker.inputs_for(details, 100 * run + place, way))
        made.append(values)
    return made


def write_calibration(name, shape, folder):
    """The other pictures, as .npy files in `folder`, for a model with one input of this shape."""
    from skimage import data

    folder.mkdir(parents=True, exist_ok=True)
    for each in CALIBRATION:
        picture = _fitted(getattr(data, each)(), *shape[1:])
        np.save(folder / f"{each}.npy", _scaled(picture, value_range(name)))


def missing():
    """Why there are no pictures; None: there are."""
    try:
        from skimage import data

        for each in ("astronaut", *CALIBRATION):
            getattr(data, each)()
    except Exception as error:  # not installed, or not in this release of it
        return f"the pictures of scikit-image can't be had: {type(error).__name__}: {error}"
    return None
