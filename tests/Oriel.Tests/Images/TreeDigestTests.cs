using System.Formats.Tar;
using System.Text;
using Oriel.Images.Store;

namespace Oriel.Tests.Images;

public sealed class TreeDigestTests
{
    [Fact]
    public async Task OfTarAsync_AnotherOrderAndTime_SameDigest()
    {
        var one = await OfAsync(File("./b", "x"), File("./a", "y"));
        var two = await OfAsync(File("./a", "y", time: 9), File("./b", "x", time: 8));
        Assert.Equal(one, two);
        Assert.Equal((2, 2L), (one.Entries, one.Size));
    }

    [Fact]
    public async Task OfTarAsync_AnythingElse_ChangesTheDigest()
    {
        string[] digests =
        [
            (await OfAsync(File("./a", "x"))).Digest,
            (await OfAsync(File("./a", "y"))).Digest,
            (await OfAsync(File("./b", "x"))).Digest,
            (await OfAsync(File("./a", "x", mode: 0x1FF))).Digest,
            (await OfAsync(File("./a", "x", uid: 1000))).Digest,
            (await OfAsync(File("./a", "x", gid: 1000))).Digest,
            (await OfAsync(Link("./a", "x"))).Digest,
            (await OfAsync(Link("./a", "y"))).Digest,
            (await OfAsync(new PaxTarEntry(TarEntryType.Directory, "./a/"))).Digest,
        ];
        Assert.Equal(digests.Length, digests.Distinct().Count());
    }

    [Fact]
    public async Task OfTarAsync_HiddenFileAtTheRoot_KeepsItsDot() =>
        Assert.NotEqual((await OfAsync(File("./.a", "x"))).Digest, (await OfAsync(File("./a", "x"))).Digest);

    private static async Task<TreeDigestResult> OfAsync(params TarEntry[] entries)
    {
        var stream = new MemoryStream();
        await using (var writer = new TarWriter(stream, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                await writer.WriteEntryAsync(entry, TestContext.Current.CancellationToken);
            }
        }

        stream.Position = 0;
        return await TreeDigest.OfTarAsync(stream, TestContext.Current.CancellationToken);
    }

    private static PaxTarEntry File(string name, string content, int time = 1, int mode = 0x1A4, int uid = 0, int gid = 0) =>
        new(TarEntryType.RegularFile, name)
        {
            DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
            ModificationTime = DateTimeOffset.UnixEpoch.AddSeconds(time),
            Mode = (UnixFileMode)mode,
            Uid = uid,
            Gid = gid,
        };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };
}
