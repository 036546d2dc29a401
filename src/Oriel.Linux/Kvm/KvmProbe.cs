using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Oriel.Linux.Calls;
using Oriel.Linux.Memory;

namespace Oriel.Linux.Kvm;

/// <summary>
/// Whether KVM works, by running a guest of three instructions that writes one byte to a port. A device file proves nothing: nested or
/// filtered KVM can open and then fail or hang in KVM_RUN, so call this in a process that may be killed. (Numbers: linux/kvm.h,
/// Documentation/virt/kvm/api.rst.)
/// </summary>
public static class KvmProbe
{
    private const nuint GetApiVersion = 0xAE00;
    private const nuint CreateVm = 0xAE01;
    private const nuint GetVcpuMmapSize = 0xAE04;
    private const nuint SetUserMemoryRegion = 0x4020AE46;
    private const nuint CreateVcpu = 0xAE41;
    private const nuint Run = 0xAE80;
    private const nuint SetRegs = 0x4090AE82;
    private const nuint GetSregs = 0x8138AE83;
    private const nuint SetSregs = 0x4138AE84;
    private const int RegsSize = 144;
    private const int RipOffset = 128;
    private const int SregsSize = 312;
    private const int SelectorOffset = 12;
    private const int ExitReasonOffset = 8;
    private const int IoOffset = 32;
    private const int IoDataOffset = IoOffset + 8;
    private const uint ExitIo = 2;
    private const byte Answer = 42;

    /// <summary>Null when the guest ran and gave the expected answer, else the step that failed and why.</summary>
    public static string? Try(string device = "/dev/kvm")
    {
        try
        {
            using var kvm = File.OpenHandle(device, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            return RunGuest(kvm);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private static unsafe string? RunGuest(SafeFileHandle kvm)
    {
        var version = Call(kvm, GetApiVersion, 0, "KVM_GET_API_VERSION");
        if (version != 12)
        {
            return $"KVM's API has version {version}, not 12";
        }

        using var vm = new SafeFileHandle(Call(kvm, CreateVm, 0, "KVM_CREATE_VM"), ownsHandle: true);
        var runSize = Call(kvm, GetVcpuMmapSize, 0, "KVM_GET_VCPU_MMAP_SIZE");
        using var memory = Mapping.Anonymous(Mapping.PageBytes, shared: true);
        // mov al, 42; out 0x10, al; hlt
        ReadOnlySpan<byte> code = [0xB0, Answer, 0xE6, 0x10, 0xF4];
        // SAFETY: `memory` is a page until the method ends; the guest that uses it runs only in KVM_RUN below.
        code.CopyTo(new Span<byte>((void*)memory.Address, Mapping.PageBytes));
        Span<byte> region = stackalloc byte[32];
        region.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(region[16..], Mapping.PageBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(region[24..], (ulong)memory.Address);
        Call(vm, SetUserMemoryRegion, region, "KVM_SET_USER_MEMORY_REGION");
        using var vcpu = new SafeFileHandle(Call(vm, CreateVcpu, 0, "KVM_CREATE_VCPU"), ownsHandle: true);
        using var run = Mapping.Of(vcpu, runSize);
        Span<byte> segments = stackalloc byte[SregsSize];
        Call(vcpu, GetSregs, segments, "KVM_GET_SREGS");
        // Real mode, code segment at 0: base, the first field, and the selector.
        segments[..8].Clear();
        segments.Slice(SelectorOffset, 2).Clear();
        Call(vcpu, SetSregs, segments, "KVM_SET_SREGS");
        Span<byte> registers = stackalloc byte[RegsSize];
        registers.Clear();
        // rip = 0, rflags = 2 (its always-set bit)
        BinaryPrimitives.WriteUInt64LittleEndian(registers[(RipOffset + 8)..], 2);
        Call(vcpu, SetRegs, registers, "KVM_SET_REGS");
        Call(vcpu, Run, 0, "KVM_RUN");
        // SAFETY: `run` is the vcpu's shared page(s) of `runSize` bytes, mapped until the method ends.
        return Judge(new ReadOnlySpan<byte>((void*)run.Address, runSize));
    }

    private static string? Judge(ReadOnlySpan<byte> run)
    {
        var reason = BinaryPrimitives.ReadUInt32LittleEndian(run[ExitReasonOffset..]);
        if (reason != ExitIo)
        {
            return $"the guest stopped with exit reason {reason} instead of its port write";
        }

        var at = BinaryPrimitives.ReadUInt64LittleEndian(run[IoDataOffset..]);
        return at < (ulong)run.Length && run[(int)at] == Answer ? null : "the guest wrote something else than its program says";
    }

    private static int Call(SafeFileHandle file, nuint request, nint argument, string name) =>
        LinuxException.ThrowIfNegative(DescriptorCalls.Ioctl((int)file.DangerousGetHandle(), request, argument), "ioctl", name);

    private static unsafe void Call(SafeFileHandle file, nuint request, Span<byte> argument, string name)
    {
        // SAFETY: the kernel reads or writes as many bytes as the request encodes, which is the argument's length; pinned for the call.
        fixed (byte* pointer = argument)
        {
            Call(file, request, (nint)pointer, name);
        }
    }
}
