using System.Buffers.Binary;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;
using Oriel.Linux.Polling;

namespace Oriel.Linux.Files;

/// <summary>What the kernel reports of directories (inotify(7)). Owns its descriptor; all watches end with it.</summary>
public sealed class Inotify : IDisposable
{
    /// <summary>Read at once: some hundred events.</summary>
    private const int BufferBytes = 64 * 1024;
    private const int HeadBytes = 16;

    private readonly AsyncDescriptor _events = new(
        new OwnedDescriptor(
            LinuxException.ThrowIfNegative(FileCalls.InotifyInit(FileCalls.NonBlocking | FileCalls.CloseOnExec), "inotify_init1")
        )
    );
    private readonly byte[] _buffer = new byte[BufferBytes];

    /// <summary>Watches what happens to the names in a directory, and to the directory itself.</summary>
    /// <returns>The watch's number; the same as before, where the directory is watched already.</returns>
    /// <exception cref="LinuxException">ENOSPC: the kernel allows no more watches.</exception>
    public int Add(DirectoryHandle directory, InotifyEvents events)
    {
        const uint OnlyDirectories = 0x01000000;
        return LinuxException.ThrowIfNegative(
            FileCalls.InotifyAddWatch(_events.Descriptor.Value, directory.DescriptorPath, (uint)events | OnlyDirectories),
            "inotify_add_watch",
            directory.Path
        );
    }

    /// <summary>Ends a watch; one that has ended by itself is no fault.</summary>
    public void Remove(int watch) => _ = FileCalls.InotifyRemoveWatch(_events.Descriptor.Value, watch);

    /// <summary>Events that have happened, at least one.</summary>
    public async ValueTask<IReadOnlyList<InotifyEvent>> ReadAsync(CancellationToken cancellationToken) =>
        Parse(_buffer.AsSpan(0, await _events.ReadAsync(_buffer, cancellationToken)));

    /// <summary>As <see cref="ReadAsync"/>; empty where there is none now.</summary>
    public IReadOnlyList<InotifyEvent> TryRead() => Parse(_buffer.AsSpan(0, Math.Max(0, _events.TryRead(_buffer))));

    public void Dispose() => _events.Dispose();

    private static List<InotifyEvent> Parse(ReadOnlySpan<byte> bytes)
    {
        // struct inotify_event: wd, mask, cookie, length of the name, which NULs fill up.
        var events = new List<InotifyEvent>();
        while (!bytes.IsEmpty)
        {
            var name = bytes.Slice(HeadBytes, BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]));
            events.Add(
                new InotifyEvent(
                    BinaryPrimitives.ReadInt32LittleEndian(bytes),
                    (InotifyEvents)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
                    BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
                    FileNameMarshaller.Decode(name.TrimEnd((byte)0))
                )
            );
            bytes = bytes[(HeadBytes + name.Length)..];
        }

        return events;
    }
}

/// <param name="Watch">Whose directory it is; -1 of <see cref="InotifyEvents.Overflow"/>.</param>
/// <param name="Cookie">The same of both halves of a move.</param>
/// <param name="Name">In the directory; empty of the directory itself. It may be no text.</param>
public readonly record struct InotifyEvent(int Watch, InotifyEvents Kind, uint Cookie, string Name);

/// <summary>As inotify(7) numbers them.</summary>
[Flags]
public enum InotifyEvents : uint
{
    None = 0,
    Modify = 0x2,
    Attributes = 0x4,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Create = 0x100,
    Delete = 0x200,
    DeleteSelf = 0x400,
    MoveSelf = 0x800,
    Unmount = 0x2000,

    /// <summary>The kernel had to drop events.</summary>
    Overflow = 0x4000,

    /// <summary>The watch has ended.</summary>
    Ignored = 0x8000,

    /// <summary>What it is about is a directory.</summary>
    Directory = 0x40000000,
}
