using System.Formats.Tar;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>Files of a live desktop over HTTP, beside their content: directories, moves, removals, watches and tars.</summary>
[Collection(RingCollection.Name)]
public sealed class FolderTests(Ring ring)
{
    private readonly string _folder = $"/home/user/folder-{Guid.NewGuid():n}";
    private string _api = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Directory_MadeTwice_IsDescribed()
    {
        await BeginAsync();
        using var first = await ring.Server.Api.PostAsync($"{_api}/files/directories?path={_folder}/a/b&mode=0750", null, Token);
        using var second = await ring.Server.Api.PostAsync($"{_api}/files/directories?path={_folder}/a/b", null, Token);
        await ShellAsync($"cd {_folder} && printf 12345 > file && ln -s file link");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (first.StatusCode, second.StatusCode));
        var made = (await second.Content.ReadFromJsonAsync<JsonNode>(Token))!;
        Assert.Equal(
            ("directory", "0750", 1000, 1000),
            (made["type"]!.GetValue<string>(), made["mode"]!.GetValue<string>(), made["uid"]!.GetValue<int>(), made["gid"]!.GetValue<int>())
        );
        var file = (await ring.Server.Api.GetFromJsonAsync<JsonNode>($"{_api}/files/stat?path={_folder}/file", Token))!;
        Assert.Equal(("file", 5, null), (file["type"]!.GetValue<string>(), file["size"]!.GetValue<int>(), file["target"]));
        var link = (await ring.Server.Api.GetFromJsonAsync<JsonNode>($"{_api}/files/stat?path={_folder}/link", Token))!;
        Assert.Equal(("link", "file"), (link["type"]!.GetValue<string>(), link["target"]!.GetValue<string>()));
        Assert.Equal((404, "no-such-file"), await ReasonAsync(ring.Server.Api.GetAsync($"{_api}/files/stat?path={_folder}/none", Token)));
        Assert.Equal(
            (409, "wrong-state"),
            await ReasonAsync(ring.Server.Api.PostAsync($"{_api}/files/directories?path={_folder}/file", null, Token))
        );
    }

    [Fact]
    public async Task Move_AcrossFileSystems_AsksBeforeItOverwrites()
    {
        await BeginAsync();
        var memory = $"/run/user/1000/{Guid.NewGuid():n}";
        await ShellAsync(
            $"mkdir -p {_folder}/d {memory} && echo old > {_folder}/there && cd {memory} && echo new > file && mkdir d && ln -s loop d/loop && touch d/$'new\\nline' d/$'no\\377text' && chmod 600 file"
        );

        Assert.Equal((409, "already-exists"), await ReasonAsync(MoveAsync($"{memory}/file", $"{_folder}/there")));
        Assert.Equal((404, "no-such-file"), await ReasonAsync(MoveAsync($"{memory}/file", $"{_folder}/none/file")));
        Assert.Equal((400, "bad-request"), await ReasonAsync(MoveAsync("relative", $"{_folder}/a")));
        using var moved = await MoveAsync($"{memory}/file", $"{_folder}/there", overwrites: true);
        using var tree = await MoveAsync($"{memory}/d", $"{_folder}/tree");
        // A directory of the image, which an overlay does not rename.
        using var image = await MoveAsync("/etc/skel", $"{_folder}/skel");
        using var back = await MoveAsync($"{_folder}/skel", "/etc/skel");

        Assert.Equal("0600", (await moved.Content.ReadFromJsonAsync<JsonNode>(Token))!["mode"]!.GetValue<string>());
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (image.StatusCode, back.StatusCode));
        Assert.Equal(HttpStatusCode.OK, tree.StatusCode);
        Assert.Equal(
            "new\nloop\n$'new\\nline'\n$'no\\377text'\n0\n",
            await ShellAsync(
                $"cat {_folder}/there; cd {_folder}/tree; LC_ALL=C; for f in *; do printf '%q\\n' \"$f\"; done; ls -A {memory} | wc -l; test -e /etc/skel/.bashrc"
            )
        );
    }

    [Fact]
    public async Task Remove_ThroughALinkOrOfWhatIsKept_IsRefused()
    {
        await BeginAsync();
        await ShellAsync(
            $"mkdir -p {_folder}/d/e {_folder}/kept && cd {_folder} && touch kept/file d/$'new\\nline' d/$'no\\377text' && ln -s ../kept d/out && ln -s loop d/e/loop && ln -s kept link"
        );

        Assert.Equal((409, "wrong-state"), await ReasonAsync(RemoveAsync($"{_folder}/link/file")));
        Assert.Equal((409, "wrong-state"), await ReasonAsync(RemoveAsync($"{_folder}/d")));
        Assert.Equal((400, "bad-request"), await ReasonAsync(RemoveAsync($"{_folder}/d", "&recursive=perhaps")));
        Assert.Equal((400, "bad-request"), await ReasonAsync(RemoveAsync("/", "&recursive=true")));
        Assert.Equal((403, "not-permitted"), await ReasonAsync(RemoveAsync("/home/user", "&recursive=true")));
        Assert.Equal((403, "not-permitted"), await ReasonAsync(RemoveAsync("/home", "&recursive=true")));
        using var tree = await RemoveAsync($"{_folder}/d", "&recursive=true");
        using var link = await RemoveAsync($"{_folder}/link");

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NoContent), (tree.StatusCode, link.StatusCode));
        Assert.Equal("kept\nkept/file\n", await ShellAsync($"cd {_folder} && find * | sort"));
    }

    [Fact]
    public async Task Watch_OfADirectory_TellsChangesAndOverflow()
    {
        await BeginAsync();
        await ShellAsync($"mkdir {_folder}");
        Assert.Equal((404, "no-such-file"), await ReasonAsync(ring.Server.Api.GetAsync($"{_api}/files/watch?path={_folder}/none", Token)));
        using var answer = await ring.Server.Api.GetAsync(
            $"{_api}/files/watch?path={_folder}&recursive=true",
            HttpCompletionOption.ResponseHeadersRead,
            Token
        );
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        await UntilAsync(events, "watching", "", null);
        await ShellAsync($"cd {_folder} && mkdir d && echo a > d/file");
        await UntilAsync(events, "created", "/d/file", null);
        await ShellAsync($"cd {_folder} && mv d/file moved");
        await UntilAsync(events, "moved", "/moved", "/d/file");
        await ShellAsync($"cd {_folder} && chmod 600 moved");
        await UntilAsync(events, "modified", "/moved", null);
        await ShellAsync($"cd {_folder} && rm moved");
        await UntilAsync(events, "removed", "/moved", null);
        await ShellAsync($"cd {_folder} && for i in $(seq 200); do touch $(seq -f \"$i-%g\" 100); done");
        await UntilAsync(events, "overflow", "", null);
        await ShellAsync($"rm -r {_folder}");
        await UntilAsync(events, "end", null, null);
        Assert.Null(await events.ReadLineAsync(Token));
    }

    [Fact]
    public async Task Archive_ThereAndBack_IsTheSameFolder()
    {
        await BeginAsync();
        await ShellAsync(
            $"mkdir -p {_folder}/from/d && cd {_folder}/from && head -c 3000000 /dev/urandom > d/big && echo a > $'new\\nline' && ln -s . loop && ln -s ../nothing d/dangling && mkfifo pipe && touch $'no\\377text' && chmod 640 d/big"
        );
        using var got = await ring.Server.Api.GetAsync($"{_api}/files/archive?path={_folder}/from", Token);
        Assert.Equal(
            ("application/x-tar", "2"),
            (got.Content.Headers.ContentType!.MediaType, got.Headers.GetValues("X-Oriel-Left-Out").Single())
        );
        using var put = await PutAsync($"{_folder}/to", await got.Content.ReadAsByteArrayAsync(Token));
        var told = (await put.Content.ReadFromJsonAsync<JsonNode>(Token))!;

        Assert.Equal(
            (2, 1, 2, 3_000_002L, 0),
            (
                told["files"]!.GetValue<int>(),
                told["directories"]!.GetValue<int>(),
                told["links"]!.GetValue<int>(),
                told["bytes"]!.GetValue<long>(),
                told["leftOut"]!.GetValue<int>()
            )
        );
        Assert.Equal(
            "same\n640 user\n",
            await ShellAsync(
                $"cd {_folder} && rm from/pipe from/$'no\\377text' && diff -r --no-dereference from to && echo same && stat -c '%a %U' to/d/big"
            )
        );
        // What GNU tar makes is taken, and what is got is taken by it.
        var gnu = await ShellAsync($"cd {_folder} && tar -C from -cf packed.tar . && echo made");
        Assert.Equal("made\n", gnu);
        var packed = await ring.Server.Api.GetByteArrayAsync($"{_api}/files?path={_folder}/packed.tar", Token);
        using var unpacked = await PutAsync($"{_folder}/again", packed);
        Assert.Equal(HttpStatusCode.OK, unpacked.StatusCode);
        Assert.Equal("same\n", await ShellAsync($"cd {_folder} && diff -r --no-dereference from again && echo same"));
        Assert.Equal(
            (409, "wrong-state"),
            await ReasonAsync(ring.Server.Api.GetAsync($"{_api}/files/archive?path={_folder}/packed.tar", Token))
        );
    }

    [Theory]
    [InlineData("../escaped", null)]
    [InlineData("/tmp/escaped", null)]
    [InlineData("link", "/etc")]
    [InlineData("d/link", "../../escaped")]
    [InlineData("planted/escaped", null)]
    public async Task Archive_ThatLeavesItsDirectory_IsRefused(string name, string? target)
    {
        await BeginAsync();
        await ShellAsync($"mkdir -p {_folder}/to {_folder}/out && ln -s ../out {_folder}/to/planted");
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            var entry = new PaxTarEntry(target is null ? TarEntryType.RegularFile : TarEntryType.SymbolicLink, name);
            if (target is not null)
            {
                entry.LinkName = target;
            }

            await writer.WriteEntryAsync(entry, Token);
        }

        var planted = name.StartsWith("planted", StringComparison.Ordinal);
        Assert.Equal(
            planted ? (409, "wrong-state") : (422, "bad-archive"),
            await ReasonAsync(PutAsync($"{_folder}/to", archive.ToArray()))
        );
        Assert.Equal("", await ShellAsync($"ls -d /tmp/escaped {_folder}/escaped {_folder}/out/* 2> /dev/null; true"));
        Assert.Equal(
            (422, "bad-archive"),
            await ReasonAsync(PutAsync($"{_folder}/to", "no tar "u8.ToArray().Concat(new byte[1000]).ToArray()))
        );
    }

    private async Task BeginAsync()
    {
        Assert.SkipWhen(ring.Missing is not null, ring.Missing ?? "");
        _api = $"/api/desktops/{await ring.SharedDesktopAsync()}";
    }

    private async Task<string> ShellAsync(string script)
    {
        var (code, said, error) = await ring.Server.ShellAsync(_api.Split('/')[^1], script);
        Assert.True(code == 0, $"{script}: {code} {said}{error}");
        return said;
    }

    private Task<HttpResponseMessage> MoveAsync(string from, string to, bool overwrites = false) =>
        ring.Server.Api.PostAsJsonAsync(
            $"{_api}/files/move",
            new
            {
                from,
                to,
                overwrite = overwrites,
            },
            Token
        );

    private Task<HttpResponseMessage> RemoveAsync(string path, string query = "") =>
        ring.Server.Api.DeleteAsync($"{_api}/files?path={path}{query}", Token);

    private Task<HttpResponseMessage> PutAsync(string path, byte[] archive) =>
        ring.Server.Api.PutAsync($"{_api}/files/archive?path={path}", new ByteArrayContent(archive), Token);

    private static async Task<(int Status, string? Reason)> ReasonAsync(Task<HttpResponseMessage> asked)
    {
        using var answer = await asked;
        var text = await answer.Content.ReadAsStringAsync(Token);
        return ((int)answer.StatusCode, text.Length > 0 ? JsonNode.Parse(text)!["reason"]?.GetValue<string>() : null);
    }

    /// <summary>Others may come before it, such as a second word of the same file.</summary>
    /// <param name="path">Below the folder; null for an event without one.</param>
    private async Task UntilAsync(StreamReader events, string kind, string? path, string? from)
    {
        var seen = new List<string>();
        var name = "";
        while (await events.ReadLineAsync(Token) is { } line)
        {
            seen.Add(line);
            if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = line["event: ".Length..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal) && name == kind)
            {
                var data = JsonNode.Parse(line["data: ".Length..])!;
                if (path is null || (Below(data["path"]) == path && Below(data["from"]) == from))
                {
                    await events.ReadLineAsync(Token);
                    return;
                }
            }
        }

        Assert.Fail($"no {kind} {path}: {string.Join(" | ", seen.TakeLast(20))}");
    }

    private string? Below(JsonNode? path) => path?.GetValue<string>()[_folder.Length..];
}
