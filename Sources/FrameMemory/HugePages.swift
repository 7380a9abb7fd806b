/// Whether a pool of ordinary memory may have huge pages. They make a reader's first touch of a frame several times
/// cheaper, and cost the memory of a large frame nothing.
public enum HugePages: Sendable, Hashable {
    /// Ordinary pages only.
    case never
    /// What the machine's owner has allowed for shared memory, in
    /// `/sys/kernel/mm/transparent_hugepage/shmem_enabled` (Documentation/admin-guide/mm/transhuge.rst). Most
    /// distributions have `never` there.
    case whenAllowed
}
