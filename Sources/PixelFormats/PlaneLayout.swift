/// Where one plane of an image lies in its buffer.
public struct PlaneLayout: Hashable, Sendable {
    /// The bytes from the start of the buffer to the first pixel.
    public var offset: Int

    /// The bytes from one row to the next; 0 where there are no rows (compressed and unknown formats).
    public var stride: Int

    /// The bytes of the plane, padding included; of a compressed image the most it can have.
    public var size: Int

    /// Which of the image's buffers (descriptors) holds the plane; 0 unless it has several.
    public var buffer: Int

    /// Takes any numbers; ``ImageLayout/validate()`` judges them.
    public init(offset: Int, stride: Int, size: Int, buffer: Int = 0) {
        self.offset = offset
        self.stride = stride
        self.size = size
        self.buffer = buffer
    }

    /// The bytes from the start of the buffer to the plane's end, nil if they don't fit an `Int`.
    var end: Int? { offset.plus(size) }
}
