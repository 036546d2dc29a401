using System.Runtime.InteropServices;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Memory;

/// <summary>Pages mapped into this process, until disposed.</summary>
internal sealed class Mapping : IDisposable
{
    public const int PageBytes = 4096;

    private readonly nuint _length;

    private Mapping(nint address, nuint length) => (Address, _length) = (address, length);

    public nint Address { get; }

    /// <summary>Memory of its own, zeroed, for reading and writing.</summary>
    /// <param name="shared">Whether another, such as KVM, sees what is written.</param>
    /// <exception cref="LinuxException"/>
    public static Mapping Anonymous(int length, bool shared = false) =>
        Map(length, MemoryCalls.Anonymous | (shared ? MemoryCalls.Shared : MemoryCalls.Private), -1);

    /// <summary>A file's first bytes, for reading and writing, shared with all others that have them.</summary>
    /// <exception cref="LinuxException"/>
    public static Mapping Of(SafeHandle file, int length) => Map(length, MemoryCalls.Shared, (int)file.DangerousGetHandle());

    /// <summary>From here on it can be run, and no longer written.</summary>
    /// <exception cref="LinuxException"/>
    public void MakeExecutable() =>
        LinuxException.ThrowIfNegative(MemoryCalls.Protect(Address, _length, MemoryCalls.ReadExecute), "mprotect");

    public void Dispose() => _ = MemoryCalls.Unmap(Address, _length);

    private static Mapping Map(int length, int flags, int fd)
    {
        var address = MemoryCalls.Map(0, (nuint)length, MemoryCalls.ReadWrite, flags, fd, 0);
        return address != -1 ? new Mapping(address, (nuint)length) : throw LinuxException.Last("mmap", $"{length} bytes");
    }
}
