using System.Threading.Channels;
using Grpc.Core;
using Oriel.Agent.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.GuestAgent;

/// <summary>Changes of directories on this machine, as a guest's agent tells them.</summary>
public sealed class FileWatchTests : IDisposable
{
    private readonly TemporaryTree _tree = new();
    private readonly Channel<FileChange> _told = Channel.CreateUnbounded<FileChange>();
    private readonly CancellationTokenSource _enough = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken
    );

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _enough.Cancel();
        _enough.Dispose();
        _tree.Dispose();
    }

    [Fact]
    public async Task Changes_OfEachKind_AreTold()
    {
        var watch = Follow(isRecursive: false);
        await NextAsync();
        var file = _tree.Write("new\nline");
        await UntilAsync((FileChangeKind.Created, "/new\nline", ""));
        File.AppendAllText(file, "more");
        await UntilAsync((FileChangeKind.Modified, "/new\nline", ""));
        File.Move(file, _tree.Path + "/other");
        await UntilAsync((FileChangeKind.Moved, "/other", "/new\nline"));
        File.Delete(_tree.Path + "/other");
        await UntilAsync((FileChangeKind.Removed, "/other", ""));
        _tree.WriteNoText();
        await UntilAsync((FileChangeKind.Created, "/no\uFFFDtext", ""));
        Directory.CreateDirectory(_tree.Path + "/d");
        await UntilAsync((FileChangeKind.Created, "/d", ""));
        _tree.Write("d/below");
        Directory.Move(_tree.Path + "/d", _tree.Outside);
        await UntilAsync((FileChangeKind.Removed, "/d", ""));
        await EndAsync(watch);
    }

    [Fact]
    public async Task Changes_BelowDirectoriesThatAreNewOrMoved_AreToldWhereTheyAre()
    {
        _tree.Write("a/b/file");
        var watch = Follow(isRecursive: true);
        await NextAsync();
        _tree.Write("new/deep/er/file");
        await UntilAsync((FileChangeKind.Created, "/new/deep/er/file", ""));
        Directory.Move(_tree.Path + "/a", _tree.Path + "/new/a");
        await UntilAsync((FileChangeKind.Moved, "/new/a", "/a"));
        _tree.Write("new/a/b/file", "changed");
        await UntilAsync((FileChangeKind.Modified, "/new/a/b/file", ""));
        Directory.Move(_tree.Path + "/new/a", _tree.Outside);
        await UntilAsync((FileChangeKind.Removed, "/new/a", ""));
        File.WriteAllText(_tree.Outside + "/b/file", "nobody's matter");
        _tree.Write("last");
        Assert.DoesNotContain(await UntilAsync((FileChangeKind.Created, "/last", "")), path => path.Contains("/a"));
        await EndAsync(watch);
    }

    [Fact]
    public async Task Changes_MoreThanAreTold_AreAnOverflowAndLaterOnesAreTold()
    {
        var watch = Follow(isRecursive: true, new FileWatch(TimeProvider.System) { MostChanges = 10 });
        await NextAsync();
        for (var file = 0; file < 200; file++)
        {
            _tree.Write($"d{file}/file");
        }

        await UntilAsync((FileChangeKind.Overflow, "", ""));
        await UntilQuietAsync();
        _tree.Write("d199/later");
        await UntilAsync((FileChangeKind.Created, "/d199/later", ""));
        await EndAsync(watch);
    }

    [Fact]
    public async Task Directories_MoreThanAreWatched_AreRefusedAlsoLater()
    {
        var few = new FileWatch(TimeProvider.System) { MostDirectories = 3 };
        _tree.Write("a/file");
        var watch = Follow(isRecursive: true, few);
        await NextAsync();
        _tree.Write("b/c/d/file");
        Assert.Equal(StatusCode.FailedPrecondition, (await Assert.ThrowsAsync<RpcException>(() => watch)).StatusCode);
        Assert.Equal(
            StatusCode.FailedPrecondition,
            (await Assert.ThrowsAsync<RpcException>(() => Follow(isRecursive: true, few))).StatusCode
        );
    }

    [Fact]
    public async Task Watch_OfADirectoryThatIsRemoved_Ends()
    {
        var watch = Follow(isRecursive: true);
        await NextAsync();
        Directory.Delete(_tree.Path);
        await UntilAsync((FileChangeKind.Removed, "", ""));
        await watch;
    }

    [Fact]
    public async Task Watches_MoreThanThereMayBe_AreRefusedUntilOneEnds()
    {
        var watch = new FileWatch(TimeProvider.System);
        var open = Enumerable.Range(0, GuestRules.MaxFileWatches).Select(_ => Follow(isRecursive: false, watch)).ToList();
        Assert.Equal(
            StatusCode.ResourceExhausted,
            (await Assert.ThrowsAsync<RpcException>(() => Follow(isRecursive: false, watch))).StatusCode
        );
        Directory.Delete(_tree.Path);
        await Task.WhenAll(open);
        Directory.CreateDirectory(_tree.Path);
        await EndAsync(Follow(isRecursive: false, watch));
    }

    [Theory]
    [InlineData("/file", StatusCode.FailedPrecondition)]
    [InlineData("/nothing", StatusCode.NotFound)]
    [InlineData("/loop", StatusCode.FailedPrecondition)]
    public async Task Watch_OfNoDirectory_IsRefused(string name, StatusCode code)
    {
        _tree.Write("file");
        _tree.Link("loop", "loop");
        var fault = await Assert.ThrowsAsync<RpcException>(() =>
            new FileWatch(TimeProvider.System).FollowAsync(
                new WatchFilesRequest { Path = _tree.Path + name },
                _ => Task.CompletedTask,
                Token
            )
        );
        Assert.Equal(code, fault.StatusCode);
    }

    private Task Follow(bool isRecursive, FileWatch? watch = null) =>
        (watch ?? new FileWatch(TimeProvider.System)).FollowAsync(
            new WatchFilesRequest { Path = _tree.Path, Recursive = isRecursive },
            change => _told.Writer.WriteAsync(change, Token).AsTask(),
            _enough.Token
        );

    /// <summary>Paths below the tree.</summary>
    private async Task<(FileChangeKind Kind, string Path, string From)> NextAsync()
    {
        var change = await _told.Reader.ReadAsync(Token);
        return (change.Kind, change.Path[_tree.Path.Length..], change.From.Length > 0 ? change.From[_tree.Path.Length..] : "");
    }

    /// <returns>What came before it: what is written to a file may be told in several gatherings.</returns>
    private async Task<List<string>> UntilAsync((FileChangeKind Kind, string Path, string From) wanted)
    {
        List<string> before = [];
        for (var told = await NextAsync(); told != wanted; told = await NextAsync())
        {
            before.Add(told.Path);
        }

        return before;
    }

    /// <summary>A file of its own is told last, and without an overflow behind it.</summary>
    private async Task UntilQuietAsync()
    {
        for (var round = 0; ; round++)
        {
            _tree.Write($"quiet{round}");
            (FileChangeKind Kind, string Path, string From) told;
            do
            {
                told = await NextAsync();
            } while (told.Kind != FileChangeKind.Overflow && told.Path != $"/quiet{round}");

            if (told.Kind != FileChangeKind.Overflow)
            {
                return;
            }
        }
    }

    private async Task EndAsync(Task watch)
    {
        await _enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
    }
}
