using System.Formats.Tar;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agent.Files;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.GuestAgent;

/// <summary>Directories as tar, out of a guest and into it.</summary>
public sealed class ArchiveTests : IDisposable
{
    private const int Seed = 10;

    private readonly TemporaryTree _tree = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _tree.Dispose();

    [Fact]
    public async Task Download_ThenUpload_IsTheSameTree()
    {
        _tree.Write("from/empty", "");
        _tree.Write("from/d/file", new string('x', 1500));
        _tree.Write("from/d/big", new string('y', 3_000_000));
        _tree.Write("from/new\nline = 1");
        _tree.Write($"from/{new string('n', 250)}/{new string('m', 250)}");
        _tree.Link("from/loop", ".");
        _tree.Link("from/d/up", "../empty");
        var before = TemporaryTree.Of(_tree.Path + "/from");
        _tree.MakePipe("from/pipe");
        _tree.WriteNoText("/from/d");
        var (summary, archive) = await DownloadAsync("from");
        var unpacked = await UploadAsync("to", archive);

        Assert.Equal(before, TemporaryTree.Of(_tree.Path + "/to"));
        Assert.Equal((5, 2, 2, 2), (summary.Files, summary.Directories, summary.Links, summary.LeftOut));
        Assert.Equal((5, 2, 2, summary.Bytes, 0), (unpacked.Files, unpacked.Directories, unpacked.Links, unpacked.Bytes, unpacked.LeftOut));
    }

    [Fact]
    public async Task Download_OfNoDirectory_IsRefused()
    {
        _tree.Write("file");
        Assert.Equal(StatusCode.FailedPrecondition, (await Assert.ThrowsAsync<RpcException>(() => DownloadAsync("file"))).StatusCode);
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => DownloadAsync("nothing"))).StatusCode);
    }

    public static TheoryData<string> Leaving { get; } =
    [
        "../outside/file",
        "/tmp/oriel-file",
        "d/../../outside/file",
        "link -> /tmp",
        "link -> ..",
        "d/link -> ../../outside",
        "d/link -> a/../../..",
        "link ->",
        "hard => ../outside/kept",
        "hard => /etc/passwd",
        "hard => planted/kept",
        "planted/file",
        "planted/d/file",
    ];

    [Theory]
    [MemberData(nameof(Leaving))]
    public async Task Upload_ThatWouldLeaveTheDirectory_IsRefusedAndWritesNothingOutside(string what)
    {
        Directory.CreateDirectory(_tree.Outside);
        System.IO.File.WriteAllText(_tree.Outside + "/kept", "kept");
        _tree.Link("planted", _tree.Outside);
        var archive = await PackAsync([EntryOf(what), File("after")]);
        var fault = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(".", archive));

        Assert.Equal(what.Contains("planted") ? StatusCode.FailedPrecondition : StatusCode.DataLoss, fault.StatusCode);
        Assert.Equal(["kept: kept"], TemporaryTree.Of(_tree.Outside));
        Assert.False(System.IO.File.Exists("/tmp/oriel-file"));
        Assert.DoesNotContain(TemporaryTree.Of(_tree.Path), name => name.Contains("after"));
    }

    /// <summary>Each leads no further than the directory, whatever stands before it.</summary>
    [Fact]
    public async Task Upload_OfLinksThatMakeOthersLeadOut_IsRefusedAtTheOther()
    {
        var archive = await PackAsync([EntryOf("here -> ."), EntryOf("out -> here/..")]);
        Assert.Equal(StatusCode.DataLoss, (await Assert.ThrowsAsync<RpcException>(() => UploadAsync(".", archive))).StatusCode);
        archive = await PackAsync([EntryOf("d/up -> .."), File("d/up/file")]);
        Assert.Equal(StatusCode.FailedPrecondition, (await Assert.ThrowsAsync<RpcException>(() => UploadAsync(".", archive))).StatusCode);
        Assert.Equal(["d/", "d/up -> ..", "here -> ."], TemporaryTree.Of(_tree.Path));
    }

    [Fact]
    public async Task Upload_OverWhatIsThere_ReplacesFilesAndLinksAndKeepsDirectories()
    {
        Directory.CreateDirectory(_tree.Outside);
        System.IO.File.WriteAllText(_tree.Outside + "/kept", "kept");
        _tree.Write("d/stays");
        _tree.Write("d/file", "old");
        _tree.Link("link", _tree.Outside + "/kept");
        var device = new PaxTarEntry(TarEntryType.Fifo, "pipe");
        var summary = await UploadAsync(
            ".",
            await PackAsync([
                new PaxTarEntry(TarEntryType.Directory, "./d/"),
                File("./d/file"),
                File("link"),
                EntryOf("hard => d/file"),
                device,
            ])
        );

        Assert.Equal((3, 1, 0, 1), (summary.Files, summary.Directories, summary.Links, summary.LeftOut));
        Assert.Equal(["d/", "d/file: packed", "d/stays: content", "hard: packed", "link: packed"], TemporaryTree.Of(_tree.Path));
        Assert.Equal(["kept: kept"], TemporaryTree.Of(_tree.Outside));
    }

    /// <summary>A reader would reserve as much before a byte of it has come.</summary>
    [Theory]
    [InlineData('x')]
    [InlineData('g')]
    [InlineData('L')]
    [InlineData('K')]
    public async Task Upload_WhoseHeaderClaimsToBeLong_IsRefused(char type)
    {
        var archive = await PackAsync([File("file")]);
        archive[156] = (byte)type;
        Encoding.ASCII.GetBytes("17777777777\0").CopyTo(archive, 124);
        "        "u8.CopyTo(archive.AsSpan(148));
        var sum = archive.Take(512).Sum(value => value);
        Encoding.ASCII.GetBytes($"{Convert.ToString(sum, 8).PadLeft(6, '0')}\0 ").CopyTo(archive, 148);
        var fault = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(".", archive));

        Assert.Equal(StatusCode.DataLoss, fault.StatusCode);
        Assert.Contains("headers of more than", fault.Status.Detail);
    }

    /// <summary>Which the reader takes for the end of an archive.</summary>
    [Fact]
    public async Task Upload_OfAHeaderWithoutAChecksum_IsRefused()
    {
        byte[] archive = [.. "no tar"u8, .. new byte[1018]];
        Assert.Equal(StatusCode.DataLoss, (await Assert.ThrowsAsync<RpcException>(() => UploadAsync(".", archive))).StatusCode);
    }

    [Fact]
    public async Task Upload_OfBytesThatAreNoTar_IsRefusedOrUnpackedAndNeverAnotherFault()
    {
        var random = new Random(Seed);
        var fair = await PackAsync([File("d/file"), EntryOf("link -> d"), EntryOf("hard => d/file"), File(new string('n', 200))]);
        for (var round = 0; round < 500; round++)
        {
            var bytes = (byte[])fair.Clone();
            for (var change = 0; change < 1 + (round % 8); change++)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                await UploadAsync("to", bytes[..(round % 5 == 0 ? random.Next(bytes.Length) : bytes.Length)]);
            }
            catch (RpcException e)
            {
                Assert.Contains(
                    e.StatusCode,
                    new[] { StatusCode.DataLoss, StatusCode.FailedPrecondition, StatusCode.InvalidArgument, StatusCode.NotFound }
                );
            }
        }

        Assert.All(TemporaryTree.Of(_tree.Path), name => Assert.StartsWith("to/", name));
    }

    private static PaxTarEntry File(string name) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("packed"u8.ToArray()) };

    /// <summary>A file, or with an arrow a link.</summary>
    private static PaxTarEntry EntryOf(string what) =>
        what.Split(" -> ") is [var name, var target] ? new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = target }
        : what.EndsWith(" ->", StringComparison.Ordinal) ? new PaxTarEntry(TarEntryType.SymbolicLink, what[..^3]) { LinkName = "/" }
        : what.Split(" => ") is [var other, var file] ? new PaxTarEntry(TarEntryType.HardLink, other) { LinkName = file }
        : File(what);

    private static async Task<byte[]> PackAsync(IEnumerable<PaxTarEntry> entries)
    {
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                await writer.WriteEntryAsync(entry, Token);
            }
        }

        return archive.ToArray();
    }

    private async Task<(ArchiveSummary Summary, byte[] Archive)> DownloadAsync(string name)
    {
        ArchiveSummary? summary = null;
        using var archive = new MemoryStream();
        await new ArchiveDownload(
            chunk =>
            {
                summary ??= chunk.Summary;
                archive.Write(chunk.Data.Span);
                return Task.CompletedTask;
            },
            Token
        ).RunAsync($"{_tree.Path}/{name}");
        return (summary!, archive.ToArray());
    }

    /// <param name="name">Of the directory; "." for the tree itself.</param>
    private Task<ArchiveSummary> UploadAsync(string name, byte[] archive)
    {
        var header = new PutArchiveHeader { Path = name == "." ? _tree.Path : $"{_tree.Path}/{name}" };
        var chunks = archive.Chunk(1000).Select(bytes => new PutArchiveChunk { Data = ByteString.CopyFrom(bytes) });
        return new ArchiveUpload(header, _tree.Owner, Token).RunAsync(new ArchiveBytes(new Messages<PutArchiveChunk>(chunks)));
    }
}
