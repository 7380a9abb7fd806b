// One import is enough to use a channel: layouts and buffers are part of its vocabulary, and policies. Nothing else of the
// lane's protocol is the user's.
@_exported public import FrameMemory
@_exported public import PixelFormats

@_exported public import enum LeaseProtocol.DeliveryPolicy
