using System.Buffers.Binary;
using System.Text;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>
/// A kernel of two dozen instructions, an ELF64 file that a VMM starts by PVH: it writes words to the serial port and then stands still for
/// good, as one that hangs does. (Sources: elf(5); Xen's docs/misc/pvh.pandoc, for the note that names the 32-bit entry point.)
/// </summary>
internal static class TinyKernel
{
    private const int HeaderSize = 64,
        ProgramHeaderSize = 56,
        NoteAt = HeaderSize + (2 * ProgramHeaderSize),
        NoteSize = 24,
        CodeAt = NoteAt + NoteSize;
    private const uint Base = 0x100000,
        Load = 1,
        Note = 4;

    /// <param name="thenPanics">It ends as one that panics does: the machine is reset.</param>
    public static byte[] Saying(string words, bool thenPanics = false)
    {
        // cli; cld; mov esi, words
        // next: lodsb; test al, al; jz end; mov ah, al; mov edx, 0x3fd
        // busy: in al, dx; test al, 0x20; jz busy; mov dl, 0xf8; mov al, ah; out dx, al; jmp next
        // end: hlt; jmp end, or ud2, for which there is no handler: a triple fault
        byte[] code =
        [
            0xFA,
            0xFC,
            0xBE,
            0,
            0,
            0,
            0,
            0xAC,
            0x84,
            0xC0,
            0x74,
            0x13,
            0x88,
            0xC4,
            0xBA,
            0xFD,
            0x03,
            0,
            0,
            0xEC,
            0xA8,
            0x20,
            0x74,
            0xFB,
            0xB2,
            0xF8,
            0x88,
            0xE0,
            0xEE,
            0xEB,
            0xE8,
            0xF4,
            0xEB,
            0xFD,
        ];
        if (thenPanics)
        {
            ((ReadOnlySpan<byte>)[0x0F, 0x0B]).CopyTo(code.AsSpan(^3));
        }

        BinaryPrimitives.WriteUInt32LittleEndian(code.AsSpan(3), Base + CodeAt + (uint)code.Length);
        byte[] text = [.. Encoding.ASCII.GetBytes(words), 0];
        var size = CodeAt + code.Length + text.Length;
        var file = new byte[size];
        // 64 bits, little endian, version 1; ET_EXEC, EM_X86_64, version 1
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(file);
        ((ReadOnlySpan<byte>)[2, 0, 62, 0, 1]).CopyTo(file.AsSpan(16));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(24), Base + CodeAt);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(32), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(52), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(54), ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), 2);
        WriteSegment(file.AsSpan(HeaderSize), Load, 0, size);
        WriteSegment(file.AsSpan(HeaderSize + ProgramHeaderSize), Note, NoteAt, NoteSize);
        WriteNote(file.AsSpan(NoteAt));
        code.CopyTo(file, CodeAt);
        text.CopyTo(file, CodeAt + code.Length);
        return file;
    }

    private static void WriteSegment(Span<byte> header, uint type, int offset, int size)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], 7);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], Base + (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], Base + (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], (ulong)size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], 4);
    }

    // XEN_ELFNOTE_PHYS32_ENTRY
    private static void WriteNote(Span<byte> note)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(note, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(note[4..], 8);
        BinaryPrimitives.WriteUInt32LittleEndian(note[8..], 18);
        "Xen\0"u8.CopyTo(note[12..]);
        BinaryPrimitives.WriteUInt64LittleEndian(note[16..], Base + CodeAt);
    }
}
