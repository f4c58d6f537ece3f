"""tests/bench/flower/server.py: Flower's aggregator as rounds.c measures ours: rounds without training, and what they cost.

usage: server.py PORT CASE CLIENTS ROUNDS CERTIFICATES

Prints seconds a round (median, without the first) and CPU in ms per update, from a round's opening to the end of its
aggregation: the model out, the updates back."""

import pathlib
import resource
import statistics
import sys
import time

import flwr
import numpy

# A network of 784-200-200-10, and the CNN of McMahan et al. (2017).
SHAPES = {
    "2nn": [(200, 784), (200,), (200, 200), (200,), (10, 200), (10,)],
    "1.66m": [(32, 1, 5, 5), (32,), (64, 32, 5, 5), (64,), (512, 3136), (512,), (10, 512), (10,)],
}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Timed(flwr.server.strategy.FedAvg):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.opened, self.costs, self.begun = [], [], 0.0

    def configure_fit(self, *arguments, **named):
        self.opened.append(time.monotonic())
        self.begun = cpu()
        return super().configure_fit(*arguments, **named)

    def aggregate_fit(self, *arguments, **named):
        result = super().aggregate_fit(*arguments, **named)
        self.costs.append(cpu() - self.begun)
        return result


def main():
    port, case, clients, rounds, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    strategy = Timed(
        fraction_fit=1.0,
        fraction_evaluate=0.0,
        min_fit_clients=clients,
        min_available_clients=clients,
        initial_parameters=flwr.common.ndarrays_to_parameters([numpy.zeros(s, numpy.float32) for s in SHAPES[case]]),
    )
    flwr.server.start_server(
        server_address="127.0.0.1:" + port,
        config=flwr.server.ServerConfig(num_rounds=rounds),
        strategy=strategy,
        certificates=tuple((pathlib.Path(folder) / f).read_bytes() for f in ("ca.pem", "server.pem", "server.key")),
    )
    seconds = [later - before for before, later in zip(strategy.opened, strategy.opened[1:])][1:]
    print("%.4f %.3f" % (statistics.median(seconds), 1000 * statistics.median(strategy.costs[1:]) / clients))


main()
