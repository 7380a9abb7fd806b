"""What pacing itself costs a program in Python: frames are stamped at the pace, nobody is told."""

import contestant


def main():
    options = contestant.arguments()
    frame = memoryview(bytearray(4096))

    def publish(number, stamp):
        contestant.fill(options, frame, number, stamp)

    contestant.run_publisher(options, [], lambda: None, publish)


if __name__ == "__main__":
    main()
