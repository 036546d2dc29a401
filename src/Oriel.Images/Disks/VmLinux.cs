using System.Buffers.Binary;
using Oriel.Images.Tools;

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

    /// <summary>Several times what any distribution's kernel takes.</summary>
    public const uint MaxUnpackedBytes = 512 << 20;

    private static readonly (string Name, byte[] Magic)[] OtherFormats =
    [
        ("gzip", [0x1F, 0x8B]),
        ("bzip2", "BZh"u8.ToArray()),
        ("xz", [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z']),
        ("lzma", [0x5D, 0, 0]),
        ("lzo", [0x89, (byte)'L', (byte)'Z', (byte)'O']),
        ("lz4", [0x02, 0x21, 0x4C, 0x18]),
        ("lz4", [0x04, 0x22, 0x4D, 0x18]),
        ("nothing", [0x7F, (byte)'E', (byte)'L', (byte)'F']),
    ];
    private static ReadOnlySpan<byte> ZstdMagic => [0x28, 0xB5, 0x2F, 0xFD];
    private static ReadOnlySpan<byte> ElfMagic => [0x7F, (byte)'E', (byte)'L', (byte)'F'];

    /// <param name="bzImage">The file <c>vmlinuz-*</c> of the package.</param>
    /// <param name="target">Where the ELF file goes.</param>
    /// <exception cref="ImageBuildException">Not such a kernel, or packed otherwise than by zstd.</exception>
    public static async Task ExtractAsync(byte[] bzImage, string target, CancellationToken cancellationToken)
    {
        var packed = target + ".zst";
        var size = UnpackedSize(bzImage);
        await File.WriteAllBytesAsync(packed, Payload(bzImage).ToArray(), cancellationToken);
        await Command.RunAsync(["zstd", "--decompress", "--quiet", "--force", "--rm", packed, "-o", target], null, cancellationToken);
        await using var file = File.OpenRead(target);
        if (file.Length != size)
        {
            throw new ImageBuildException($"The kernel says that it takes {size} bytes unpacked, and takes {file.Length}.");
        }

        var magic = new byte[ElfMagic.Length];
        await file.ReadAtLeastAsync(magic, magic.Length, throwOnEndOfStream: false, cancellationToken);
        if (!magic.AsSpan().SequenceEqual(ElfMagic))
        {
            throw new ImageBuildException("The kernel's payload is no ELF file.");
        }
    }

    /// <summary>Without the trailer.</summary>
    /// <exception cref="ImageBuildException"/>
    internal static ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> image) => Whole(image)[..^SizeTrailer];

    /// <exception cref="ImageBuildException"/>
    internal static uint UnpackedSize(ReadOnlySpan<byte> image)
    {
        var size = BinaryPrimitives.ReadUInt32LittleEndian(Whole(image)[^SizeTrailer..]);
        return size <= MaxUnpackedBytes ? size : throw new ImageBuildException($"The kernel says that it takes {size} bytes unpacked.");
    }

    private static ReadOnlySpan<byte> Whole(ReadOnlySpan<byte> image)
    {
        if (
            image.Length < PayloadLength + 4
            || !image.Slice(Magic, 4).SequenceEqual("HdrS"u8)
            || BinaryPrimitives.ReadUInt16LittleEndian(image[Protocol..]) < 0x208
        )
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

        var payload = image.Slice((int)start, (int)length);
        return payload.StartsWith(ZstdMagic)
            ? payload
            : throw new ImageBuildException($"The kernel is not packed by zstd but by {FormatOf(payload)}.");
    }

    private static string FormatOf(ReadOnlySpan<byte> payload)
    {
        foreach (var (name, magic) in OtherFormats)
        {
            if (payload.StartsWith(magic))
            {
                return name;
            }
        }

        return "something unknown";
    }
}
