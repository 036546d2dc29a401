using System.Runtime.InteropServices;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Descriptors;

/// <summary>Calls on descriptors over spans. One that a signal interrupted is made again.</summary>
internal static unsafe class Fd
{
    /// <returns>Bytes read, 0 at the end; -1 with an errno that is not EINTR.</returns>
    public static int Read(int fd, Span<byte> buffer, out int errno)
    {
        // SAFETY: pinned, and its length is given.
        fixed (byte* p = buffer)
        {
            int n;
            do
            {
                n = (int)DescriptorCalls.Read(fd, p, (nuint)buffer.Length);
                errno = n < 0 ? Marshal.GetLastPInvokeError() : 0;
            } while (errno == Errno.EINTR);

            return n;
        }
    }

    /// <returns>Bytes written, which may be fewer than were given; -1 with an errno that is not EINTR.</returns>
    public static int Write(int fd, ReadOnlySpan<byte> bytes, out int errno)
    {
        // SAFETY: pinned, and its length is given.
        fixed (byte* p = bytes)
        {
            int n;
            do
            {
                n = (int)DescriptorCalls.Write(fd, p, (nuint)bytes.Length);
                errno = n < 0 ? Marshal.GetLastPInvokeError() : 0;
            } while (errno == Errno.EINTR);

            return n;
        }
    }

    /// <exception cref="LinuxException"/>
    public static OwnedDescriptor Open(string path, int flags) =>
        new(LinuxException.ThrowIfNegative(FileCalls.OpenAt(FileCalls.AtFdCwd, path, flags | FileCalls.CloseOnExec, 0), "open", path));

    /// <summary>An empty file in memory, closed on exec.</summary>
    /// <exception cref="LinuxException"/>
    public static int CreateMemory(string name, uint flags = 0) =>
        LinuxException.ThrowIfNegative(FileCalls.CreateMemory(name, flags | FileCalls.MemoryCloseOnExec), "memfd_create", name);

    /// <summary>Both ends are closed on exec.</summary>
    /// <exception cref="LinuxException"/>
    public static (OwnedDescriptor Read, OwnedDescriptor Write) CreatePipe()
    {
        // SAFETY: pipe2 writes two ints.
        var ends = stackalloc int[2];
        LinuxException.ThrowIfNegative(DescriptorCalls.Pipe2(ends, FileCalls.CloseOnExec), "pipe2");
        return (new OwnedDescriptor(ends[0]), new OwnedDescriptor(ends[1]));
    }

    /// <summary>By which this process and others of the same user can open the file, as long as it is open here.</summary>
    public static string PathOf(SafeHandle file) => $"/proc/{Environment.ProcessId}/fd/{file.DangerousGetHandle()}";
}
