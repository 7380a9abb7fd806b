internal import FrameShare

/// All that the C side holds.
struct Handles: Sendable {
    let subscribers = HandleTable<Subscriber>(kind: 0x51)
    let publishers = HandleTable<Publisher>(kind: 0x52)
    let frames = HandleTable<Frame>(kind: 0x53)
    let slots = HandleTable<FilledSlot>(kind: 0x54)
    let metadata = HandleTable<Metadata>(kind: 0x55)
    let memories = HandleTable<KeptMemory>(kind: 0x62)
    let monitors = HandleTable<ChannelMonitor>(kind: 0x56)
    let requests = HandleTable<FrameRequest>(kind: 0x57)
    let pending = HandleTable<PendingAnswer>(kind: 0x58)
    let answers = HandleTable<ReceivedAnswer>(kind: 0x59)
    let results = HandleTable<WorkResults>(kind: 0x5A)
    let controlLists = HandleTable<ControlList>(kind: 0x5B)
    let settingQueues = HandleTable<SettingQueue>(kind: 0x5C)
    let settings = HandleTable<ReceivedSetting>(kind: 0x5D)
    let channelWatches = HandleTable<ChannelDirectoryWatch>(kind: 0x5E)
    let overlays = HandleTable<Overlay>(kind: 0x5F)
    let copyStages = HandleTable<CopyRun>(kind: 0x60)
    let pools = HandleTable<MappedPool>(kind: 0x61)
}

let handles = Handles()
