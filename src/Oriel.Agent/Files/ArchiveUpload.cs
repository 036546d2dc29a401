using System.Formats.Tar;
using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// Unpacks a tar below a directory, which is made where it is missing. No name leads out of it: each entry's place is walked to from the
/// directory without following links, whoever made them. A symbolic link may point to what is in the directory alone, and its target has
/// <c>..</c> at its beginning only: behind the name of another link it would lead elsewhere than it seems to. What is left of an
/// archive that is refused are its entries before.
/// </summary>
internal sealed class ArchiveUpload(PutArchiveHeader header, FileOwner owner, CancellationToken cancellationToken)
{
    private const int BufferBytes = 64 * 1024;
    private const int BlockBytes = 512;

    /// <summary>Zeros that fill up the last record, of whatever length the writer has.</summary>
    private const int MaxBehindBytes = 16 * 1024 * 1024;
    private const uint Private = 0x180; // 0600
    private const uint PermissionBits = 0x1ff; // 0777: no set-user-id, which root would give to whoever is the owner

    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly ArchiveSummary _summary = new();

    /// <exception cref="RpcException">
    /// DataLoss: no tar, or an entry that would leave the directory. ResourceExhausted: too many entries, disk full. FailedPrecondition:
    /// what is there is in the way.
    /// </exception>
    public async Task<ArchiveSummary> RunAsync(ArchiveBytes bytes)
    {
        FileFaults.CheckPath(header.Path);
        try
        {
            using var root = DirectoryHandle.OpenOrCreate(header.Path, owner.Uid, owner.Gid);
            await using var archive = new TarReader(bytes, leaveOpen: true);
            var padding = 0;
            for (var entries = 0; await NextAsync(archive, bytes, padding) is { } entry; entries++)
            {
                if (entries == GuestRules.MaxArchiveEntries)
                {
                    throw FileFaults.TooMuch($"more than {GuestRules.MaxArchiveEntries} entries");
                }

                padding = (int)((BlockBytes - (entry.Length % BlockBytes)) % BlockBytes);
                await UnpackAsync(root, entry);
            }

            for (int behind = 0, n; (n = await bytes.ReadAsync(_buffer, cancellationToken)) > 0; behind += n)
            {
                if (behind > MaxBehindBytes)
                {
                    throw Bad($"more than {MaxBehindBytes} bytes behind its end");
                }
            }

            return _summary;
        }
        catch (IOException e) when (e is not EndOfStreamException)
        {
            throw FileFaults.Of(e);
        }
        catch (Exception e) when (IsOfTheArchive(e))
        {
            throw Bad(e.Message);
        }
    }

    /// <summary>What a reader of tar says of bytes that are none.</summary>
    private static bool IsOfTheArchive(Exception e) =>
        e
            is InvalidDataException
                or EndOfStreamException
                or FormatException
                or NotSupportedException
                or ArgumentException
                or OverflowException;

    private static RpcException Bad(string fault) => FileFaults.Refusal(StatusCode.DataLoss, fault);

    private async ValueTask<TarEntry?> NextAsync(TarReader archive, ArchiveBytes bytes, int padding)
    {
        bytes.BeginHeaders(padding);
        return await archive.GetNextEntryAsync(copyData: false, cancellationToken);
    }

    private async Task UnpackAsync(DirectoryHandle root, TarEntry entry)
    {
        var names = NamesOf(entry.Name, entry.Name, "leads out of the directory");
        if (IsSparse(entry))
        {
            throw Bad($"the entry {entry.Name} is a sparse file of GNU tar");
        }

        // The reader puts it in place of what is no UTF-8. Without names: the directory itself, as "tar -C there ." has it.
        var isText = !entry.Name.Contains('\uFFFD') && !entry.LinkName.Contains('\uFFFD');
        if (names.Length == 0 || !isText)
        {
            _summary.LeftOut += isText ? 0 : 1;
            await DrainAsync(entry);
            return;
        }

        using var parent = Walk(root, names, OpenOrMake);
        var name = names[^1];
        switch (entry.EntryType)
        {
            case TarEntryType.Directory or TarEntryType.DirectoryList:
                await DrainAsync(entry);
                MakeDirectory(parent, name, entry);
                _summary.Directories++;
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                await WriteFileAsync(parent, name, entry);
                _summary.Files++;
                break;
            case TarEntryType.SymbolicLink:
                MakeLink(parent, name, entry, names.Length - 1);
                _summary.Links++;
                break;
            case TarEntryType.HardLink:
                LinkFile(root, parent, name, entry);
                _summary.Files++;
                break;
            default:
                await DrainAsync(entry);
                _summary.LeftOut++;
                break;
        }
    }

    private static bool IsSparse(TarEntry entry) =>
        entry is PaxTarEntry pax && pax.ExtendedAttributes.Keys.Any(key => key.StartsWith("GNU.sparse.", StringComparison.Ordinal));

    /// <summary>The names of a path below the directory.</summary>
    private static string[] NamesOf(string path, string entry, string fault)
    {
        string[] names = [.. path.Split('/').Where(name => name is not ("" or "."))];
        return path.StartsWith('/') || names.Contains("..") ? throw Bad($"the entry {entry} {fault}")
            : path.Contains('\0') || System.Text.Encoding.UTF8.GetByteCount(path) > GuestRules.MaxPathBytes
                ? throw Bad($"the entry {entry} has a name that no file can have")
            : names.Length > GuestRules.MaxTreeDepth ? throw FileFaults.TooDeep(entry)
            : names;
    }

    /// <summary>The directory that the last name is in.</summary>
    private static DirectoryHandle Walk(DirectoryHandle root, string[] names, Func<DirectoryHandle, string, DirectoryHandle> open)
    {
        var current = root.Reopen();
        foreach (var name in names[..^1])
        {
            using var above = current;
            current = open(above, name);
        }

        return current;
    }

    private DirectoryHandle OpenOrMake(DirectoryHandle parent, string name) => OpenOrMake(parent, name, GuestRules.DefaultDirectoryMode);

    private DirectoryHandle OpenOrMake(DirectoryHandle parent, string name, uint mode)
    {
        try
        {
            return parent.MakeDirectory(name, owner.Uid, owner.Gid, mode);
        }
        catch (LinuxException e) when (e.Errno == Errno.EEXIST)
        {
            return parent.OpenDirectory(name);
        }
    }

    private void MakeDirectory(DirectoryHandle parent, string name, TarEntry entry)
    {
        // Of one that is there already, owner and mode stay.
        using var directory = OpenOrMake(parent, name, (uint)entry.Mode & PermissionBits);
    }

    private async Task WriteFileAsync(DirectoryHandle parent, string name, TarEntry entry)
    {
        MakeRoom(parent, name);
        using var file = parent.Create(name, Private);
        if (entry.DataStream is { } content)
        {
            long length = 0;
            for (int n; (n = await content.ReadAsync(_buffer, cancellationToken)) > 0; length += n)
            {
                RandomAccess.Write(file, _buffer.AsSpan(0, n), length);
            }

            _summary.Bytes += length;
        }

        DirectoryHandle.SetOwnerAndMode(file, owner.Uid, owner.Gid, (uint)entry.Mode & PermissionBits);
        DirectoryHandle.SetModified(file, (entry.ModificationTime.UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);
    }

    /// <param name="depth">Directories between the link and the one that all is below.</param>
    private void MakeLink(DirectoryHandle parent, string name, TarEntry entry, int depth)
    {
        var parts = entry.LinkName.Split('/').Where(part => part is not ("" or ".")).ToList();
        var up = parts.TakeWhile(part => part == "..").Count();
        if (entry.LinkName.StartsWith('/') || up > depth || parts.Skip(up).Contains(".."))
        {
            throw Bad($"the link {entry.Name} points out of the directory, to {entry.LinkName}");
        }

        if (entry.LinkName.Length == 0 || entry.LinkName.Contains('\0'))
        {
            throw Bad($"the link {entry.Name} points to nothing");
        }

        MakeRoom(parent, name);
        parent.Symlink(entry.LinkName, name);
        parent.SetOwner(name, owner.Uid, owner.Gid);
    }

    /// <summary>Another name of a file that is there already.</summary>
    private void LinkFile(DirectoryHandle root, DirectoryHandle parent, string name, TarEntry entry)
    {
        var target = NamesOf(entry.LinkName, entry.Name, "is linked to what is not in the directory");
        if (target.Length == 0)
        {
            throw Bad($"the entry {entry.Name} is linked to nothing");
        }

        using var directory = Walk(root, target, (above, part) => above.OpenDirectory(part));
        if (directory.TryStatus(target[^1]) is not { Kind: FileKind.Regular })
        {
            throw Bad($"the entry {entry.Name} is linked to no file");
        }

        MakeRoom(parent, name);
        directory.Link(target[^1], parent, name);
    }

    /// <summary>As a put does: what is no directory gives way, a link itself and not what it points to.</summary>
    private static void MakeRoom(DirectoryHandle parent, string name)
    {
        switch (parent.TryStatus(name)?.Kind)
        {
            case FileKind.Directory:
                throw new LinuxException("unpack", Errno.EISDIR, $"{parent.Path}/{name}");
            case not null:
                parent.Unlink(name);
                break;
        }
    }

    private async Task DrainAsync(TarEntry entry)
    {
        if (entry.DataStream is { } content)
        {
            while (await content.ReadAsync(_buffer, cancellationToken) > 0)
            {
                // Of what is not unpacked, the bytes are read all the same.
            }
        }
    }
}
