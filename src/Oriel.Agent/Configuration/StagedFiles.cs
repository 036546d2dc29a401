using System.Security.Cryptography;
using Oriel.Agent.Accounts;
using Oriel.Linux;
using Oriel.Linux.Files;

namespace Oriel.Agent.Configuration;

/// <summary>
/// Files written whole beside their places, then all renamed into them. Until <see cref="Commit"/> nothing that was there has changed;
/// disposal removes what was not committed.
/// </summary>
internal sealed class StagedFiles : IDisposable
{
    private readonly List<(DirectoryHandle Directory, string Temporary, string Name)> _staged = [];
    private int _committed;

    /// <exception cref="IOException">A component is a symbolic link, the disk is full, the place is a directory ...</exception>
    public void Add(string path, ReadOnlySpan<byte> content, uint mode, FileOwner owner)
    {
        var name = Path.GetFileName(path);
        var directory = DirectoryHandle.OpenOrCreate(Path.GetDirectoryName(path)!, owner.Uid, owner.Gid);
        var temporary = $".oriel-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        try
        {
            if (directory.TryStatus(name) is { Kind: FileKind.Directory })
            {
                throw new LinuxException("write", Errno.EISDIR, path);
            }

            using var file = directory.Create(temporary, 0x180); // 0600 until owner and mode are right
            _staged.Add((directory, temporary, name));
            RandomAccess.Write(file, content, 0);
            DirectoryHandle.SetOwnerAndMode(file, owner.Uid, owner.Gid, mode);
            DirectoryHandle.Sync(file);
        }
        catch when (_staged.Count == 0 || _staged[^1].Directory != directory)
        {
            directory.Dispose();
            throw;
        }
    }

    public void AddText(string path, string text, uint mode, FileOwner owner) =>
        Add(path, System.Text.Encoding.UTF8.GetBytes(text), mode, owner);

    public void AddLink(string path, string target)
    {
        var directory = DirectoryHandle.OpenOrCreate(Path.GetDirectoryName(path)!, 0, 0);
        var temporary = $".oriel-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        _staged.Add((directory, temporary, Path.GetFileName(path)));
        directory.Symlink(target, temporary);
    }

    public void Commit()
    {
        foreach (var (directory, temporary, name) in _staged)
        {
            directory.Rename(temporary, name);
            _committed++;
        }

        foreach (var directory in _staged.Select(file => file.Directory).DistinctBy(directory => directory.Path))
        {
            directory.Sync();
        }
    }

    public void Dispose()
    {
        for (var i = 0; i < _staged.Count; i++)
        {
            if (i >= _committed && _staged[i].Directory.TryStatus(_staged[i].Temporary) is not null)
            {
                _staged[i].Directory.Unlink(_staged[i].Temporary);
            }

            _staged[i].Directory.Dispose();
        }
    }
}
