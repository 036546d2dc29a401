using System.Formats.Tar;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Oriel.Agent.Files;
using Oriel.Protocol.Guest;
using Oriel.Tests.GuestAgent;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Tests.Server;

/// <summary>Files over HTTP, by the agent's own code, in a directory of this machine: the way there and back without a guest.</summary>
public sealed class FolderApiTests : IAsyncDisposable
{
    private readonly TemporaryTree _tree = new();
    private TestServer? _server;
    private string _api = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _tree.Dispose();
    }

    [Fact]
    public async Task Requests_AboutFiles_HaveTheirAnswersAndReasons()
    {
        await BeginAsync();
        _tree.Write("file", "12345");
        _tree.Link("link", "file");
        using var made = await _server!.Api.PostAsync($"{_api}/files/directories?path={_tree.Path}/a/b&mode=0700", null, Token);
        using var again = await _server.Api.PostAsync($"{_api}/files/directories?path={_tree.Path}/a/b", null, Token);
        var link = (await _server.Api.GetFromJsonAsync<JsonNode>($"{_api}/files/stat?path={_tree.Path}/link", Token))!;

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (made.StatusCode, again.StatusCode));
        Assert.Equal("0700", (await again.Content.ReadFromJsonAsync<JsonNode>(Token))!["mode"]!.GetValue<string>());
        Assert.Equal(("link", "file"), (link["type"]!.GetValue<string>(), link["target"]!.GetValue<string>()));
        Assert.Equal((409, "wrong-state"), await ReasonAsync(_server.Api.PostAsync(At("/files/directories", "file"), null, Token)));
        Assert.Equal((409, "already-exists"), await ReasonAsync(MoveAsync("file", "a", false)));
        Assert.Equal((409, "wrong-state"), await ReasonAsync(MoveAsync("file", "a", true)));
        Assert.Equal((404, "no-such-file"), await ReasonAsync(MoveAsync("nothing", "b", false)));
        Assert.Equal((200, null), await ReasonAsync(MoveAsync("file", "a/b/moved", false)));
        Assert.Equal((409, "wrong-state"), await ReasonAsync(_server.Api.DeleteAsync(At("/files", "a"), Token)));
        Assert.Equal((400, "bad-request"), await ReasonAsync(_server.Api.DeleteAsync(At("/files", "a") + "&recursive=1", Token)));
        Assert.Equal((403, "not-permitted"), await ReasonAsync(_server.Api.DeleteAsync($"{_api}/files?path=/home&recursive=true", Token)));
        Assert.Equal((204, null), await ReasonAsync(_server.Api.DeleteAsync(At("/files", "a") + "&recursive=true", Token)));
        Assert.Equal(["link -> file"], TemporaryTree.Of(_tree.Path));
    }

    [Fact]
    public async Task Archive_ThereAndBack_IsTheSameFolder()
    {
        await BeginAsync();
        _tree.Write("from/d/big", new string('x', 5_000_000));
        _tree.Write("from/new\nline");
        _tree.Link("from/loop", ".");
        var before = TemporaryTree.Of(_tree.Path + "/from");
        _tree.WriteNoText("/from");
        using var got = await _server!.Api.GetAsync(At("/files/archive", "from"), Token);
        var archive = await got.Content.ReadAsByteArrayAsync(Token);
        using var put = await _server.Api.PutAsync(At("/files/archive", "to"), new ByteArrayContent(archive), Token);

        Assert.Equal(
            ("application/x-tar", "1", HttpStatusCode.OK),
            (got.Content.Headers.ContentType!.MediaType, got.Headers.GetValues("X-Oriel-Left-Out").Single(), put.StatusCode)
        );
        Assert.Equal(before, TemporaryTree.Of(_tree.Path + "/to"));
        Assert.Equal((404, "no-such-file"), await ReasonAsync(_server.Api.GetAsync(At("/files/archive", "nothing"), Token)));
    }

    [Fact]
    public async Task Archive_ThatLeavesItsDirectory_IsABadArchive()
    {
        await BeginAsync();
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, "../outside"), Token);
        }

        var content = new ByteArrayContent([.. archive.ToArray(), .. new byte[3_000_000]]);
        Assert.Equal((422, "bad-archive"), await ReasonAsync(_server!.Api.PutAsync(At("/files/archive", "to"), content, Token)));
        Assert.False(Path.Exists(_tree.Outside));
    }

    [Fact]
    public async Task Watch_OfADirectory_TellsChangesUntilTheDesktopEnds()
    {
        await BeginAsync();
        Assert.Equal((404, "no-such-file"), await ReasonAsync(_server!.Api.GetAsync(At("/files/watch", "nothing"), Token)));
        using var answer = await _server.Api.GetAsync(
            $"{_api}/files/watch?path={_tree.Path}&recursive=true",
            HttpCompletionOption.ResponseHeadersRead,
            Token
        );
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        await UntilAsync(events, "watching", _tree.Path);
        _tree.Write("d/new\nline");
        await UntilAsync(events, "created", $"{_tree.Path}/d/new\nline");
        using var destroyed = await _server.Api.DeleteAsync(_api, Token);
        var end = await UntilAsync(events, "end", null);

        Assert.Equal("desktop-gone", end["reason"]?.GetValue<string>());
        Assert.Equal("", await events.ReadToEndAsync(Token));
    }

    private static async Task<JsonNode> UntilAsync(StreamReader events, string kind, string? path)
    {
        var name = "";
        while (await events.ReadLineAsync(Token) is { } line)
        {
            name = line.StartsWith("event: ", StringComparison.Ordinal) ? line["event: ".Length..] : name;
            if (line.StartsWith("data: ", StringComparison.Ordinal) && name == kind)
            {
                var data = JsonNode.Parse(line["data: ".Length..])!;
                if (path is null || data["path"]!.GetValue<string>() == path)
                {
                    await events.ReadLineAsync(Token);
                    return data;
                }
            }
        }

        throw new EndOfStreamException($"no {kind} {path}");
    }

    private static async Task<(int Status, string? Reason)> ReasonAsync(Task<HttpResponseMessage> asked)
    {
        using var answer = await asked;
        var text = await answer.Content.ReadAsStringAsync(Token);
        return ((int)answer.StatusCode, text.Length > 0 ? JsonNode.Parse(text)!["reason"]?.GetValue<string>() : null);
    }

    private string At(string route, string name) => $"{_api}{route}?path={_tree.Path}/{name}";

    private Task<HttpResponseMessage> MoveAsync(string from, string to, bool overwrite) =>
        _server!.Api.PostAsJsonAsync(
            $"{_api}/files/move",
            new
            {
                from = $"{_tree.Path}/{from}",
                to = $"{_tree.Path}/{to}",
                overwrite,
            },
            Token
        );

    private async Task BeginAsync()
    {
        _server = await TestServer.StartAsync(
            keepers: new PlayedKeepers { Guest = () => new PlayedGuest { Files = new FilesOfTheAgent(_tree) } }
        );
        var id = (await _server.CreateAsync(new { width = PlayedGuest.Width, height = PlayedGuest.Height }))["id"]!.GetValue<string>();
        await _server.WaitForStateAsync(id, "ready");
        _api = $"/api/desktops/{id}";
    }

    private sealed class FilesOfTheAgent(TemporaryTree tree) : PlayedFiles
    {
        private const string Home = "/home/user";

        private readonly FileTransfers _transfers = new();
        private readonly FileWatch _watch = new(TimeProvider.System);

        public override FileInfo Stat(string path, bool ofLink = false) => _transfers.Stat(path, ofLink);

        public override MakeDirectoryReply Make(MakeDirectoryRequest request) => FileTrees.Make(request, tree.Owner);

        public override MoveFileReply Move(MoveFileRequest request)
        {
            FileTrees.Move(request, Home, Token);
            return new MoveFileReply();
        }

        public override RemoveFileReply Remove(RemoveFileRequest request)
        {
            FileTrees.Remove(request, Home, Token);
            return new RemoveFileReply();
        }

        public override Task WatchAsync(WatchFilesRequest request, Func<FileChange, Task> tell, CancellationToken cancellationToken) =>
            _watch.FollowAsync(request, tell, cancellationToken);

        public override Task GetArchiveAsync(string path, IServerStreamWriter<ArchiveChunk> output, CancellationToken cancellationToken) =>
            new ArchiveDownload(chunk => output.WriteAsync(chunk, cancellationToken), cancellationToken).RunAsync(path);

        public override async Task<ArchiveSummary> PutArchiveAsync(
            IAsyncStreamReader<PutArchiveChunk> chunks,
            CancellationToken cancellationToken
        )
        {
            Assert.True(await chunks.MoveNext(cancellationToken));
            return await new ArchiveUpload(chunks.Current.Header, tree.Owner, cancellationToken).RunAsync(new ArchiveBytes(chunks));
        }
    }
}
