// iceoryx 2.0 (classic): frames are loaned from RouDi's shared memory pool, readers wait on a WaitSet.
//
// RouDi (iox-roudi) is started for each run, with a pool of frames of the run's size.
// Paced: a reader's queue keeps the newest. Unpaced: the publisher blocks while a reader's queue is full.
#include "contestant.h"

#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include <cerrno>
#include <string>
#include <unistd.h>
#include <utility>

namespace {

iox::capro::ServiceDescription service(const contestant& options) {
    iox::capro::IdString_t channel(iox::cxx::TruncateToCapacity, options.channel);
    return { "FrameBenchmark", channel, "Frames" };
}

struct Publishing {
    contestant& options;
    iox::popo::UntypedPublisher publisher;
    void* next = nullptr;

    static iox::popo::PublisherOptions settings(const contestant& options) {
        iox::popo::PublisherOptions settings;
        if (options.rate == 0) settings.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        return settings;
    }

    explicit Publishing(contestant& options) : options(options), publisher(service(options), settings(options)) {}

    int prepare() {
        for (int tries = 0; !next && tries < 100000; tries++) {
            auto loan = publisher.loan(options.size);
            if (!loan.has_error()) {
                next = loan.value();
            } else {
                usleep(50);  // readers hold every frame of the pool
            }
        }
        return next ? 0 : ENOMEM;
    }

    int publish(uint64_t number, int64_t stamp) {
        if (int error = prepare()) return error;
        contestant_fill(&options, next, number, stamp);
        publisher.publish(std::exchange(next, nullptr));
        return 0;
    }
};

int prepare(void* context) { return static_cast<Publishing*>(context)->prepare(); }

int publish(void* context, uint64_t number, int64_t stamp) {
    return static_cast<Publishing*>(context)->publish(number, stamp);
}

void runReader(contestant& options) {
    contestant_connecting(&options);
    iox::popo::SubscriberOptions settings;
    settings.queueCapacity = options.rate > 0 ? 1 : options.in_flight;
    if (options.rate == 0) settings.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    iox::popo::UntypedSubscriber subscriber(service(options), settings);
    iox::popo::WaitSet<1> waitSet;
    if (waitSet.attachState(subscriber, iox::popo::SubscriberState::HAS_DATA).has_error())
        contestant_fail("WaitSet::attachState", 0);
    while (subscriber.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) usleep(100);
    contestant_connected(&options);
    for (bool more = true; more;) {
        waitSet.wait();
        for (bool any = true; any && more;) {
            auto frame = subscriber.take();
            any = !frame.has_error();
            if (!any) break;
            more = contestant_received(&options, frame.value()) != 0;
            subscriber.release(frame.value());
        }
    }
    contestant_reader_end(&options);
}

}  // namespace

int main(int argc, char** argv) {
    contestant options;
    contestant_begin(&options, argc, argv);
    std::string name = options.is_publisher ? "bench-publisher" : "bench-reader-" + std::to_string(options.reader);
    iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
    if (options.is_publisher) {
        Publishing publishing(options);
        contestant_publisher_run(&options, &publishing, prepare, publish, nullptr);
        contestant_wait_for_readers_end(&options);
    } else {
        runReader(options);
    }
    return 0;
}
