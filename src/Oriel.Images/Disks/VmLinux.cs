using System.Buffers.Binary;

namespace Oriel.Images.Disks;

/// <summary>
/// Takes the ELF kernel out of a bzImage, so that no guest has to unpack it. Source: Documentation/arch/x86/boot.rst, "payload_offset" and
/// "payload_length" (protocol 2.08).
/// </summary>
internal static class VmLinux
{
    private const int SetupSectors = 0x1F1;
    private const int Magic = 0x202;
    private const int Protocol = 0x206;
    private const int PayloadOffset = 0x248;
    private const int PayloadLength = 0x24C;
    private const int SectorBytes = 512;

    /// <summary>The build appends the unpacked size to what it packs.</summary>
    private const int SizeTrailer = 4;
    private static ReadOnlySpan<byte> ZstdMagic => [0x28, 0xB5, 0x2F, 0xFD];
    private static ReadOnlySpan<byte> ElfMagic => [0x7F, (byte)'E', (byte)'L', (byte)'F'];

    /// <param name="bzImage">The file <c>vmlinuz-*</c> of the package.</param>
    /// <param name="target">Where the ELF file goes.</param>
    /// <exception cref="ImageBuildException">Not such a kernel, or packed otherwise than by zstd.</exception>
    public static async Task ExtractAsync(byte[] bzImage, string target, CancellationToken cancellationToken)
    {
        var packed = target + ".zst";
        await File.WriteAllBytesAsync(packed, Payload(bzImage).ToArray(), cancellationToken);
        await Command.RunAsync(["zstd", "--decompress", "--quiet", "--force", "--rm", packed, "-o", target], null, cancellationToken);
        await using var file = File.OpenRead(target);
        var magic = new byte[ElfMagic.Length];
        await file.ReadAtLeastAsync(magic, magic.Length, throwOnEndOfStream: false, cancellationToken);
        if (!magic.AsSpan().SequenceEqual(ElfMagic))
        {
            throw new ImageBuildException("The kernel's payload is no ELF file.");
        }
    }

    internal static ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> image)
    {
        if (image.Length < 0x1000 || !image.Slice(Magic, 4).SequenceEqual("HdrS"u8) || BinaryPrimitives.ReadUInt16LittleEndian(image[Protocol..]) < 0x208)
        {
            throw new ImageBuildException("The kernel is no bzImage of boot protocol 2.08 or later.");
        }

        var sectors = image[SetupSectors] == 0 ? 4 : image[SetupSectors];
        var start = ((sectors + 1L) * SectorBytes) + BinaryPrimitives.ReadUInt32LittleEndian(image[PayloadOffset..]);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(image[PayloadLength..]);
        if (length <= ZstdMagic.Length + SizeTrailer || start + length > image.Length)
        {
            throw new ImageBuildException("The kernel's payload lies outside its file.");
        }

        var payload = image.Slice((int)start, (int)length - SizeTrailer);
        return payload.StartsWith(ZstdMagic) ? payload : throw new ImageBuildException("The kernel is not packed by zstd.");
    }
}
