using System.Runtime.InteropServices;
using Oriel.Linux.Processes;

namespace Oriel.Linux.Polling;

/// <summary>read, write and pipe2 over spans.</summary>
internal static unsafe class DescriptorCalls
{
    public static int Read(int fd, Span<byte> buffer, out int errno)
    {
        // SAFETY: pinned, and its length is given.
        fixed (byte* p = buffer)
        {
            var n = (int)ProcessCalls.Read(fd, p, (nuint)buffer.Length);
            errno = n < 0 ? Marshal.GetLastPInvokeError() : 0;
            return n;
        }
    }

    public static int Write(int fd, ReadOnlySpan<byte> bytes, out int errno)
    {
        // SAFETY: pinned, and its length is given.
        fixed (byte* p = bytes)
        {
            var n = (int)ProcessCalls.Write(fd, p, (nuint)bytes.Length);
            errno = n < 0 ? Marshal.GetLastPInvokeError() : 0;
            return n;
        }
    }

    public static (OwnedDescriptor Read, OwnedDescriptor Write) CreatePipe()
    {
        const int CloseOnExec = 0x80000;
        // SAFETY: pipe2 writes two ints.
        var ends = stackalloc int[2];
        return ProcessCalls.Pipe2(ends, CloseOnExec) == 0
            ? (new OwnedDescriptor(ends[0]), new OwnedDescriptor(ends[1]))
            : throw LinuxException.Last("pipe2");
    }
}
