using System.Text;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Keepers;

/// <summary>The text logs in a bundle.</summary>
public static class BundleFiles
{
    public const string Keeper = BundleLayout.KeeperLog;
    public const string Console = BundleLayout.ConsoleLog;

    /// <summary>The whole lines in the last bytes of a file; empty when it is not there.</summary>
    public static IReadOnlyList<string> Tail(string path, int bytes)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var cut = file.Length > bytes;
            file.Seek(cut ? -bytes : 0, cut ? SeekOrigin.End : SeekOrigin.Begin);
            var buffer = new byte[bytes];
            var read = file.ReadAtLeast(buffer, bytes, throwOnEndOfStream: false);
            return [.. Encoding.UTF8.GetString(buffer, 0, read).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(cut ? 1 : 0)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
