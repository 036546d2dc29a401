using System.Diagnostics;
using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Files;
using Oriel.Linux.Files;
using Oriel.Protocol;

namespace Oriel.Tests.GuestAgent;

/// <summary>A directory with another one beside it, removed in the end with all that is in them, of whatever name.</summary>
internal sealed class TemporaryTree : IDisposable
{
    /// <summary>No UTF-8, as the guest's programs may name a file.</summary>
    public const string NoText = "no\uDCFFtext";

    private readonly string _all = Directory.CreateTempSubdirectory("oriel-files-").FullName;

    public TemporaryTree() => Directory.CreateDirectory(Path);

    public string Path => _all + "/inside";

    /// <summary>Beside it: nothing may ever be written or removed here.</summary>
    public string Outside => _all + "/outside";

    public FileOwner Owner
    {
        get
        {
            using var directory = DirectoryHandle.Open(_all);
            return new FileOwner(directory.Status().Uid, directory.Status().Gid);
        }
    }

    public string Write(string name, string content = "content")
    {
        var path = $"{Path}/{name}";
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    public string Link(string name, string target)
    {
        File.CreateSymbolicLink($"{Path}/{name}", target);
        return $"{Path}/{name}";
    }

    public void WriteNoText(string folder = "")
    {
        using var directory = DirectoryHandle.Open(Path + folder);
        directory.Create(NoText, 0x1a4).Dispose();
    }

    public void MakePipe(string name)
    {
        using var made = Process.Start("mkfifo", [$"{Path}/{name}"]);
        made.WaitForExit();
    }

    /// <summary>All that is below a directory: names, of links with their targets, of files with their contents.</summary>
    public static string[] Of(string path, string prefix = "")
    {
        using var directory = DirectoryHandle.Open(path);
        return
        [
            .. directory
                .Names()
                .Order(StringComparer.Ordinal)
                .SelectMany(name =>
                    directory.TryStatus(name)!.Value.Kind switch
                    {
                        FileKind.Directory => [$"{prefix}{name}/", .. Of($"{path}/{name}", $"{prefix}{name}/")],
                        FileKind.SymbolicLink => [$"{prefix}{name} -> {directory.ReadLink(name)}"],
                        FileKind.Regular when GuestRules.IsText(name) => [$"{prefix}{name}: {File.ReadAllText($"{path}/{name}")}"],
                        _ => (string[])[prefix + name],
                    }
                ),
        ];
    }

    public static StatusCode Refused(Action call) => Assert.Throws<RpcException>(call).StatusCode;

    public void Dispose()
    {
        using var parent = DirectoryHandle.Open(System.IO.Path.GetDirectoryName(_all)!);
        FileTrees.RemoveTree(parent, System.IO.Path.GetFileName(_all), 0, CancellationToken.None);
    }
}

/// <summary>The messages of a call that a test makes without a connection.</summary>
internal sealed class Messages<T>(IEnumerable<T> messages) : IAsyncStreamReader<T>
{
    private readonly IEnumerator<T> _messages = messages.GetEnumerator();

    public T Current => _messages.Current;

    public Task<bool> MoveNext(CancellationToken cancellationToken) => Task.FromResult(_messages.MoveNext());
}
