using Microsoft.Win32.SafeHandles;

namespace Oriel.Linux.Processes;

/// <summary>A file descriptor that is closed with it.</summary>
public sealed class OwnedDescriptor : SafeHandleMinusOneIsInvalid
{
    public OwnedDescriptor(int fd)
        : base(ownsHandle: true) => SetHandle(fd);

    public int Value => (int)handle;

    protected override bool ReleaseHandle() => ProcessCalls.Close((int)handle) == 0;
}
