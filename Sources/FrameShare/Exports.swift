// One import is enough to use a channel: layouts, buffers and policies are part of its vocabulary.
@_exported public import FrameMemory
@_exported public import LeaseProtocol
@_exported public import PixelFormats
