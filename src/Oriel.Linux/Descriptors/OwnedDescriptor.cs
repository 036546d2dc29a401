using Microsoft.Win32.SafeHandles;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Descriptors;

/// <summary>A file descriptor that is closed with it.</summary>
public sealed class OwnedDescriptor : SafeHandleMinusOneIsInvalid
{
    public OwnedDescriptor(int fd)
        : base(ownsHandle: true) => SetHandle(fd);

    public int Value => (int)handle;

    protected override bool ReleaseHandle() => DescriptorCalls.Close((int)handle) == 0;
}
