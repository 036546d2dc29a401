using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Oriel.Server.Commands.Doctor;

namespace Oriel.Server.Drivers;

/// <summary>
/// The least machine that shows that Firecracker runs one: a processor, 32 MiB, and for a kernel three instructions that ask the keyboard
/// controller for a reset, at which Firecracker ends with 0. (Sources: Firecracker's docs/getting-started.md for the file and
/// <c>--no-api</c>, its FAQ for the reset.)
/// </summary>
internal static class FirecrackerTrial
{
    private const int HeaderSize = 64,
        ProgramHeaderSize = 56;

    /// <summary>Where Firecracker expects a kernel to begin.</summary>
    private const ulong Start = 0x100000;

    /// <returns>The configuration file's path.</returns>
    public static string Write(string directory)
    {
        var kernel = Path.Combine(directory, "kernel");
        File.WriteAllBytes(kernel, Kernel());
        var machine = new JsonObject
        {
            ["boot-source"] = new JsonObject { ["kernel_image_path"] = kernel, ["boot_args"] = "reboot=k" },
            ["drives"] = new JsonArray(),
            ["machine-config"] = new JsonObject { ["vcpu_count"] = 1, ["mem_size_mib"] = 32 },
        };
        var config = Path.Combine(directory, "machine.json");
        File.WriteAllText(config, machine.ToJsonString());
        return config;
    }

    /// <summary>
    /// Why the machine did not come up. Firecracker logs a sentence for people, "… error: …" and perhaps further lines, and ends with the
    /// same as its program has it: <c>Error: RunWithoutApiError(BuildMicroVMFromJson(…))</c>.
    /// </summary>
    internal static string WordOf(HostProbeResult trial)
    {
        var lines = trial.Output.Split('\n', StringSplitOptions.TrimEntries);
        var first = Array.FindIndex(lines, line => line.Contains(" error: ", StringComparison.Ordinal));
        return first < 0
            ? trial.LastLine
            : string.Join(' ', lines.Skip(first + 1).TakeWhile(Continues).Prepend(WithoutOrigin(lines[first])));
    }

    private static bool Continues(string line) =>
        line.Length > 0 && !char.IsAsciiDigit(line[0]) && !line.StartsWith("Error: ", StringComparison.Ordinal);

    // "2026-11-28T10:00:00.123456789 [anonymous-instance:main] ", as its logger begins each line.
    private static string WithoutOrigin(string line)
    {
        var end = char.IsAsciiDigit(line[0]) ? line.IndexOf("] ", StringComparison.Ordinal) : -1;
        return end < 0 ? line : line[(end + 2)..];
    }

    /// <summary>An ELF64 executable of one segment. (Source: elf(5).)</summary>
    internal static byte[] Kernel()
    {
        // mov al, 0xfe; out 0x64, al; halt: hlt; jmp halt
        ReadOnlySpan<byte> code = [0xB0, 0xFE, 0xE6, 0x64, 0xF4, 0xEB, 0xFD];
        var file = new byte[HeaderSize + ProgramHeaderSize + code.Length];
        var header = file.AsSpan(0, HeaderSize);
        // 64 bits, little endian, version 1; ET_EXEC, EM_X86_64, version 1
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(header);
        ((ReadOnlySpan<byte>)[2, 0, 62, 0, 1, 0, 0, 0]).CopyTo(header[16..]);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], Start);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[56..], 1);
        var segment = file.AsSpan(HeaderSize, ProgramHeaderSize);
        // PT_LOAD, readable and executable
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 5);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[8..], HeaderSize + ProgramHeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[16..], Start);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[24..], Start);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[32..], (ulong)code.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[40..], (ulong)code.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[48..], 1);
        code.CopyTo(file.AsSpan(HeaderSize + ProgramHeaderSize));
        return file;
    }
}
