"""iceoryx2 by its Python wheel: samples of shared memory, and an event that wakes the readers."""

import ctypes
import os
import sys
from multiprocessing import Process, set_start_method

import iceoryx2 as iox2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402


class Channel:
    """Both services of a channel, in the process that asks for them."""

    def __init__(self, options):
        iox2.set_log_level(iox2.LogLevel.Error)
        node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        name = f"bench-{os.path.basename(os.environ.get('BENCH_DIR', '.'))}-{options.channel}"
        self.node, paced = node, options.rate > 0
        self.frames = (
            node.service_builder(iox2.ServiceName.new(name))
            .publish_subscribe(iox2.Slice[ctypes.c_uint8])
            .max_subscribers(max(1, options.readers))
            .max_nodes(options.readers + 2)
            .subscriber_max_buffer_size(1 if paced else options.in_flight)
            .enable_safe_overflow(paced)
            .open_or_create()
        )
        self.events = (
            node.service_builder(iox2.ServiceName.new(name + "/event"))
            .event()
            .max_listeners(max(1, options.readers))
            .max_nodes(options.readers + 2)
            .open_or_create()
        )


def read(options, reader):
    book = contestant.Reader(options, reader)
    channel = Channel(options)
    subscriber, listener = channel.frames.subscriber_builder().create(), channel.events.listener_builder().create()
    book.connected()
    kind, more = ctypes.c_uint8 * options.size, True
    while more:
        sample = subscriber.receive()
        if sample is None:
            listener.timed_wait(iox2.Duration.from_secs(1))
            continue
        more = book.received(memoryview(kind.from_address(sample.payload_ptr)).cast("B"))
        sample.delete()
    book.end()


def main():
    options = contestant.arguments()
    set_start_method("fork")
    own = {}

    def open_channel():
        channel = own["channel"] = Channel(options)
        own["notifier"] = channel.events.notifier_builder().create()
        builder = channel.frames.publisher_builder().initial_max_slice_len(options.size)
        if options.rate == 0:
            builder = builder.backpressure_strategy(iox2.BackpressureStrategy.RetryUntilDelivered)
        own["publisher"] = builder.create()

    kind = ctypes.c_uint8 * options.size

    def prepare():
        if "sample" not in own:
            sample = own["publisher"].loan_slice_uninit(options.size)
            own["sample"] = sample, memoryview(kind.from_address(sample.payload_ptr)).cast("B")

    def publish(number, stamp):
        prepare()
        sample, memory = own.pop("sample")
        contestant.fill(options, memory, number, stamp)
        sample.assume_init().send()
        own["notifier"].notify()

    children = [Process(target=read, args=(options, i)) for i in range(options.readers)]
    contestant.run_publisher(options, children, prepare, publish, started=open_channel)


if __name__ == "__main__":
    main()
