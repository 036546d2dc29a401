using Grpc.Core;
using Oriel.Agent.Files;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.GuestAgent;

/// <summary>Directories made, and trees moved and removed, on the file system of this machine.</summary>
public sealed class FileTreeTests : IDisposable
{
    private const string Home = "/home/user";

    private readonly TemporaryTree _tree = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void Make_WithThoseAboveIt_IsIdempotent()
    {
        var request = new MakeDirectoryRequest { Path = _tree.Path + "/a/b/c", Mode = 0x1c0 };
        var first = FileTrees.Make(request, _tree.Owner);
        var second = FileTrees.Make(new MakeDirectoryRequest { Path = request.Path }, _tree.Owner);

        Assert.Equal((true, false), (first.Created, second.Created));
        Assert.Equal((FileType.Directory, 0x1c0u), (second.Info.Type, second.Info.Mode));
        Assert.Equal(["a/", "a/b/", "a/b/c/"], TemporaryTree.Of(_tree.Path));
    }

    [Fact]
    public void Make_WhereAFileOrALinkIs_IsRefused()
    {
        _tree.Write("file");
        Directory.CreateDirectory(_tree.Outside);
        _tree.Link("link", _tree.Outside);

        Assert.All(
            (string[])["file", "link", "link/below", "file/below"],
            name => Assert.Equal(StatusCode.FailedPrecondition, Refused(name))
        );
        Assert.Empty(TemporaryTree.Of(_tree.Outside));

        StatusCode Refused(string name) =>
            TemporaryTree.Refused(() => FileTrees.Make(new MakeDirectoryRequest { Path = $"{_tree.Path}/{name}" }, _tree.Owner));
    }

    [Fact]
    public void Remove_OfADirectory_NeedsToBeAskedForAndFollowsNoLink()
    {
        Directory.CreateDirectory(_tree.Outside);
        File.WriteAllText(_tree.Outside + "/kept", "kept");
        _tree.Write("d/e/file");
        _tree.Write("d/new\nline");
        _tree.WriteNoText("/d");
        _tree.MakePipe("d/pipe");
        _tree.Link("d/out", _tree.Outside);
        _tree.Link("d/loop", ".");
        _tree.Link("d/e/up", "..");
        _tree.Link("link", _tree.Outside);

        Assert.Equal(StatusCode.FailedPrecondition, TemporaryTree.Refused(() => Remove("d", isRecursive: false)));
        Assert.Equal(StatusCode.FailedPrecondition, TemporaryTree.Refused(() => Remove("link/kept")));
        Assert.Equal(StatusCode.NotFound, TemporaryTree.Refused(() => Remove("nothing")));
        Remove("d");
        Remove("link");

        Assert.Empty(TemporaryTree.Of(_tree.Path));
        Assert.Equal(["kept: kept"], TemporaryTree.Of(_tree.Outside));
    }

    [Fact]
    public void Remove_OfMoreThanIsLookedAt_SaysHowDeepItIs()
    {
        var handles = new Stack<DirectoryHandle>([DirectoryHandle.Open(_tree.Path)]);
        for (var depth = 0; depth < GuestRules.MaxTreeDepth + 2; depth++)
        {
            handles.Push(handles.Peek().MakeDirectory("d", _tree.Owner.Uid, _tree.Owner.Gid, 0x1c0));
        }

        var fault = Assert.Throws<RpcException>(() => Remove("d"));
        Assert.Equal(StatusCode.FailedPrecondition, fault.StatusCode);
        Assert.Contains("deep", fault.Status.Detail);

        // Two levels less can be removed, here as by the end of the test.
        for (var level = 0; level < 3; level++)
        {
            handles.Pop().Dispose();
            handles.Peek().RemoveDirectory("d");
        }

        foreach (var handle in handles)
        {
            handle.Dispose();
        }

        Remove("d");
    }

    [Theory]
    [InlineData("/home/user")]
    [InlineData("/home")]
    [InlineData("/run")]
    public void RemoveAndMove_OfWhatIsKept_AreNotPermitted(string path)
    {
        var request = new RemoveFileRequest { Path = path, Recursive = true };
        Assert.Equal(StatusCode.PermissionDenied, TemporaryTree.Refused(() => FileTrees.Remove(request, Home, Token)));
        Assert.Equal(
            StatusCode.PermissionDenied,
            TemporaryTree.Refused(() => FileTrees.Move(new MoveFileRequest { From = path, To = "/a" }, Home, Token))
        );
        Assert.Equal(
            StatusCode.PermissionDenied,
            TemporaryTree.Refused(() => FileTrees.Move(new MoveFileRequest { From = "/a", To = path }, Home, Token))
        );
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/proc/self")]
    [InlineData("/home/../home/user")]
    [InlineData("/home/user/")]
    public void Remove_OfWhatIsNoPath_IsInvalid(string path) =>
        Assert.Equal(
            StatusCode.InvalidArgument,
            TemporaryTree.Refused(() => FileTrees.Remove(new RemoveFileRequest { Path = path, Recursive = true }, Home, Token))
        );

    [Fact]
    public void Move_OverWhatIsThere_NeedsToBeAskedFor()
    {
        _tree.Write("a", "new");
        _tree.Write("b", "old");
        _tree.Write("full/file");
        Directory.CreateDirectory(_tree.Path + "/d");

        Assert.Equal(StatusCode.AlreadyExists, TemporaryTree.Refused(() => Move("a", "b")));
        Assert.Equal(StatusCode.FailedPrecondition, TemporaryTree.Refused(() => Move("d", "full", overwrites: true)));
        Assert.Equal(StatusCode.FailedPrecondition, TemporaryTree.Refused(() => Move("a", "d", overwrites: true)));
        Assert.Equal(StatusCode.FailedPrecondition, TemporaryTree.Refused(() => Move("full", "full/below")));
        Assert.Equal(StatusCode.NotFound, TemporaryTree.Refused(() => Move("a", "nothing/a")));
        Assert.Equal(StatusCode.NotFound, TemporaryTree.Refused(() => Move("nothing", "c")));
        Move("a", "b", overwrites: true);
        Move("full", "d/full");

        Assert.Equal(["b: new", "d/", "d/full/", "d/full/file: content"], TemporaryTree.Of(_tree.Path));
    }

    /// <summary>What a move to another file system does.</summary>
    [Fact]
    public void Move_ByCopying_KeepsLinksModesTimesAndNames()
    {
        var file = _tree.Write("from/d/file");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddDays(1));
        _tree.Write("from/new\nline");
        _tree.WriteNoText("/from");
        _tree.Link("from/dangling", "/nowhere");
        _tree.Link("from/loop", ".");
        var before = TemporaryTree.Of(_tree.Path + "/from");
        using var directory = DirectoryHandle.Open(_tree.Path);
        new TreeCopy(Token).Move(directory, "from", directory, "to", replaces: false);

        Assert.Equal(before, TemporaryTree.Of(_tree.Path + "/to"));
        Assert.Equal(["to"], directory.Names());
        file = _tree.Path + "/to/d/file";
        Assert.Equal(
            (UnixFileMode.UserRead | UnixFileMode.UserExecute, DateTime.UnixEpoch.AddDays(1)),
            (File.GetUnixFileMode(file), File.GetLastWriteTimeUtc(file))
        );
    }

    [Fact]
    public void Move_ByCopyingAPipe_IsRefusedAndLeavesAllAsItWas()
    {
        _tree.Write("from/file");
        _tree.MakePipe("from/pipe");
        var before = TemporaryTree.Of(_tree.Path);
        using var directory = DirectoryHandle.Open(_tree.Path);
        var fault = Assert.Throws<LinuxException>(() => new TreeCopy(Token).Move(directory, "from", directory, "to", replaces: false));

        Assert.Equal(Errno.EXDEV, fault.Errno);
        Assert.Equal(before, TemporaryTree.Of(_tree.Path));
    }

    private void Remove(string name, bool isRecursive = true) =>
        FileTrees.Remove(new RemoveFileRequest { Path = $"{_tree.Path}/{name}", Recursive = isRecursive }, Home, Token);

    private void Move(string from, string to, bool overwrites = false) =>
        FileTrees.Move(
            new MoveFileRequest
            {
                From = $"{_tree.Path}/{from}",
                To = $"{_tree.Path}/{to}",
                Overwrite = overwrites,
            },
            Home,
            Token
        );
}
