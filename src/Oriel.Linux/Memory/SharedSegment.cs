using Oriel.Linux.Calls;

namespace Oriel.Linux.Memory;

/// <summary>A System V shared memory segment (shmget(2)) as this process has it attached, until disposed.</summary>
public sealed class SharedSegment : IDisposable
{
    private SharedSegment(int id, nint address) => (Id, Address) = (id, address);

    /// <summary>By which another process attaches it too.</summary>
    public int Id { get; }

    public nint Address { get; }

    /// <exception cref="LinuxException"/>
    public static SharedSegment Create(long bytes, uint mode)
    {
        var id = LinuxException.ThrowIfNegative(
            MemoryCalls.GetSegment(MemoryCalls.NoKey, (nuint)bytes, MemoryCalls.CreateSegment | (int)mode),
            "shmget",
            $"{bytes} bytes"
        );
        var address = MemoryCalls.AttachSegment(id, 0, 0);
        if (address != -1)
        {
            return new SharedSegment(id, address);
        }

        var error = LinuxException.Last("shmat", $"{bytes} bytes");
        _ = MemoryCalls.ControlSegment(id, MemoryCalls.RemoveSegment, 0);
        throw error;
    }

    /// <summary>Nobody can attach it from now on, and it goes with its last user, however that one ends.</summary>
    public void Unlink() => _ = MemoryCalls.ControlSegment(Id, MemoryCalls.RemoveSegment, 0);

    public void Dispose() => _ = MemoryCalls.DetachSegment(Address);
}
