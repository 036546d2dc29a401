using System.Collections.Concurrent;
using System.Security.Cryptography;
using Oriel.Linux.Files;

namespace Oriel.Images.Store;

/// <summary>
/// Remembers which disk files were read and found to be what their manifest says, by size and times. One of them is that of the last
/// change, which a copy that keeps the time of writing (cp -p, rsync) cannot keep.
/// </summary>
internal sealed class DiskSeals
{
    private readonly ConcurrentDictionary<string, Seal> _found = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _oneReader = new(1, 1);

    /// <returns>What is wrong with the file, or null.</returns>
    public async Task<string?> CheckAsync(string folder, ImageFile disk, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, Path.GetFileName(disk.Name));
        // Many desktops at the same time read it only once.
        await _oneReader.WaitAsync(cancellationToken);
        try
        {
            await using var content = File.OpenRead(path);
            var seal = new Seal(disk.Sha256, DirectoryHandle.Status(content.SafeFileHandle));
            if (_found.TryGetValue(path, out var known) && known == seal)
            {
                return null;
            }

            var actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellationToken));
            if (actual != disk.Sha256)
            {
                return $"the digest of the disk {path} is {actual}: it was changed after the build";
            }

            _found[path] = seal;
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"the disk {path} is not there";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the disk {path} cannot be read: {e.Message}";
        }
        finally
        {
            _oneReader.Release();
        }
    }

    private sealed record Seal(string Sha256, FileStatus Status);
}
