using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Oriel.Images.Disks;
using Oriel.Images.Tools;

namespace Oriel.Tests.Images;

public sealed class DiskTests
{
    private static readonly byte[] ZstdMagic = [0x28, 0xB5, 0x2F, 0xFD];

    [Fact]
    public void Payload_OfABzImage_IsThePackedKernelWithoutItsSize()
    {
        var image = BzImage([.. ZstdMagic, 1, 2, 3, 9, 9, 9, 9]);
        Assert.Equal([.. ZstdMagic, 1, 2, 3], VmLinux.Payload(image).ToArray());
    }

    [Theory]
    [InlineData(0x202, "no bzImage")]
    [InlineData(0x24F, "outside its file")]
    [InlineData(0x1400, "not packed by zstd")]
    public void Payload_OfSomethingElse_IsRefused(int brokenByte, string reason)
    {
        var image = BzImage([.. ZstdMagic, 1, 2, 3, 9, 9, 9, 9]);
        image[brokenByte] = 0xFF;
        Assert.Contains(reason, Assert.Throws<ImageBuildException>(() => VmLinux.Payload(image).ToArray()).Message);
    }

    [Fact]
    public void Payload_PackedByAnotherFormat_NamesIt() =>
        Assert.Contains(
            "but by gzip",
            Assert.Throws<ImageBuildException>(() => VmLinux.Payload(BzImage([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0, 0])).ToArray()).Message
        );

    [Fact]
    public void UnpackedSize_OfMoreThanAnyKernelTakes_IsRefused()
    {
        Assert.Equal(0x1807_0605u, VmLinux.UnpackedSize(BzImage([.. ZstdMagic, 1, 2, 3, 5, 6, 7, 0x18])));
        Assert.Throws<ImageBuildException>(() => VmLinux.UnpackedSize(BzImage([.. ZstdMagic, 1, 2, 3, 0, 0, 0, 0x21])));
    }

    /// <summary>A whole header with a few bytes of payload is the seed: what matters is where it says that things are.</summary>
    [Fact]
    public void BzImage_Mutated_IsReadOrRefused() =>
        Fuzzer.Run(
            "bzimage",
            static input =>
            {
                try
                {
                    Assert.True(VmLinux.Payload(input).Length < input.Length);
                    Assert.InRange(VmLinux.UnpackedSize(input), 0u, VmLinux.MaxUnpackedBytes);
                }
                catch (ImageBuildException)
                {
                    // Its documented refusal.
                }
            },
            iterations: 5_000
        );

    [Fact]
    public void DependenciesOf_AModule_AreItsNamesInNormalForm() =>
        Assert.Equal(
            ["net_failover", "virtio_ring"],
            KernelPackage.DependenciesOf("\0alias=x\0depends=net_failover,virtio-ring\0name=y\0"u8)
        );

    [Fact]
    public void DependenciesOf_AModuleWithout_AreNone() => Assert.Empty(KernelPackage.DependenciesOf("\0depends=\0"u8));

    [Fact]
    public void CpioWriter_DirectoryAndFile_AreAsTheKernelReadsThem()
    {
        using var stream = new MemoryStream();
        var archive = new CpioWriter(stream);
        archive.AddDirectory("bin");
        archive.AddFile("bin/a", "hello"u8);
        archive.End();
        var entries = Parse(stream.ToArray());
        Assert.Equal([("bin", 0x41ED, ""), ("bin/a", 0x81ED, "hello"), ("TRAILER!!!", 0, "")], entries);
    }

    private static byte[] BzImage(byte[] payload)
    {
        const int Setup = 8 * 512;
        var image = new byte[Setup + 1024 + payload.Length];
        image[0x1F1] = 7;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20F);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x248), 1024);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x24C), (uint)payload.Length);
        payload.CopyTo(image.AsSpan(Setup + 1024));
        return image;
    }

    // Documentation/driver-api/early-userspace/buffer-format.rst: thirteen fields of eight hex digits after the magic.
    private static List<(string Name, int Mode, string Content)> Parse(byte[] archive)
    {
        var found = new List<(string, int, string)>();
        for (var at = 0; at < archive.Length; )
        {
            Assert.Equal("070701", Encoding.ASCII.GetString(archive, at, 6));
            var start = at;
            int Field(int index) =>
                int.Parse(
                    Encoding.ASCII.GetString(archive, start + 6 + (8 * index), 8),
                    NumberStyles.HexNumber,
                    CultureInfo.InvariantCulture
                );
            var name = Encoding.ASCII.GetString(archive, at + 110, Field(11) - 1);
            var content = (at + 110 + Field(11) + 3) / 4 * 4;
            found.Add((name, Field(1), Encoding.ASCII.GetString(archive, content, Field(6))));
            at = (content + Field(6) + 3) / 4 * 4;
        }

        return found;
    }
}
