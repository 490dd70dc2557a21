"""The public names, each once, with its file."""

from maillon.data.batches import Batches as Batches, batches as batches
from maillon.data.errors import (
    DataError as DataError,
    DataFileError as DataFileError,
    DataNotFoundError as DataNotFoundError,
)
from maillon.data.fetch import fetch as fetch
from maillon.data.idx import read_idx as read_idx
from maillon.data.mnist import ImageData as ImageData, fashion_mnist as fashion_mnist, mnist as mnist
from maillon.data.sources import Status as Status, status as status
from maillon.data.synthetic import linear_data as linear_data, two_clusters as two_clusters
from maillon.data.transforms import (
    Stats as Stats,
    add_noise as add_noise,
    normalize as normalize,
    one_hot as one_hot,
    train_test_split as train_test_split,
)
