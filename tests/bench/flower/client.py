"""tests/bench/flower/client.py: one of Flower's clients, which adds a millionth to each parameter and calls it an update.

usage: client.py PORT CERTIFICATES"""

import pathlib
import sys

import flwr
import numpy


class Lazy(flwr.client.NumPyClient):
    def fit(self, parameters, config):
        return [array + numpy.float32(1e-6) for array in parameters], 600, {}


flwr.client.start_client(
    server_address="localhost:" + sys.argv[1],
    client=Lazy().to_client(),
    root_certificates=(pathlib.Path(sys.argv[2]) / "ca.pem").read_bytes(),
)
