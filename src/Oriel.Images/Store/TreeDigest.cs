using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Oriel.Images.Tools;

namespace Oriel.Images.Store;

/// <param name="Size">Bytes of the regular files; one with several names counts for each.</param>
internal sealed record TreeDigestResult(string Digest, long Size, int Entries);

/// <summary>
/// The digest of a file tree: SHA-256 over one line an entry in byte order of the paths, each
/// <c>path NUL type NUL mode NUL uid NUL gid NUL size NUL link NUL sha256-of-content LF</c>. Times, hard-link structure and the content of
/// <c>/dev</c> (made afresh for each desktop) are not part of it.
/// </summary>
internal static class TreeDigest
{
    /// <exception cref="CommandFailedException">The tree cannot be read.</exception>
    public static async Task<TreeDigestResult> OfDirectoryAsync(string root, CancellationToken cancellationToken)
    {
        TreeDigestResult? result = null;
        // tar, not a walk of our own: inside the user namespace it may read what other ids own, and System.Formats.Tar reads its stream
        // here.
        var tar = MappedNamespace.Wrap(
            "tar",
            "--create",
            "--format=pax",
            "--numeric-owner",
            "--hard-dereference",
            "--exclude=./dev/*",
            "--directory",
            root,
            "."
        );
        await Command.StreamAsync(tar, async (stream, token) => result = await OfTarAsync(stream, token), cancellationToken);
        return result!;
    }

    internal static async Task<TreeDigestResult> OfTarAsync(Stream stream, CancellationToken cancellationToken)
    {
        await using var buffered = new BufferedStream(stream, 1 << 20);
        await using var reader = new TarReader(buffered);
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long size = 0;
        while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            var path = "/" + entry.Name.TrimStart('.').Trim('/');
            var content = "";
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
            {
                content = entry.DataStream is { } data
                    ? Convert.ToHexStringLower(await SHA256.HashDataAsync(data, cancellationToken))
                    : Convert.ToHexStringLower(SHA256.HashData([]));
                size += entry.Length;
            }

            var type = entry.EntryType switch
            {
                TarEntryType.RegularFile or TarEntryType.V7RegularFile => "f",
                TarEntryType.Directory => "d",
                TarEntryType.SymbolicLink => "l",
                TarEntryType.CharacterDevice => "c",
                TarEntryType.BlockDevice => "b",
                TarEntryType.Fifo => "p",
                _ => throw new InvalidDataException($"{path}: an entry of type {entry.EntryType} has no place in an image."),
            };
            lines[path] =
                string.Join(
                    '\0',
                    path,
                    type,
                    Octal(entry.Mode),
                    Number(entry.Uid),
                    Number(entry.Gid),
                    Number(entry.Length),
                    entry.LinkName ?? "",
                    content
                ) + "\n";
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var line in lines.Values)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        }

        return new TreeDigestResult("sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset()), size, lines.Count);
    }

    private static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
