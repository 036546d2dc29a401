using System.Globalization;

namespace Oriel.Desktops.Guests;

/// <summary>The room on a desktop's own disk, as its guest tells it: a guest's word, good for a warning and nothing else.</summary>
/// <param name="TotalFiles">Inodes; 0 where the file system counts none.</param>
internal readonly record struct ScratchRoom(long TotalBytes, long FreeBytes, long TotalFiles, long FreeFiles)
{
    /// <summary>
    /// Little is left below a twentieth, but not of more than 20 GiB: a browser's profile and a package or two need this much whatever the
    /// disk.
    /// </summary>
    private const long LeastLow = 64L << 20,
        MostLow = 1L << 30;
    private const int LowShare = 20,
        LowFilesShare = 50;

    /// <param name="was">What was said before: little is left until there is half as much again, so that one file more or less does not
    /// make a warning come and go.</param>
    public bool IsLow(bool was)
    {
        var low = Math.Clamp(TotalBytes / LowShare, LeastLow, MostLow);
        var lowFiles = TotalFiles / LowFilesShare;
        return TotalBytes > 0 && (FreeBytes < Until(low) || (TotalFiles > 0 && FreeFiles < Until(lowFiles)));

        long Until(long least) => was ? least + (least / 2) : least;
    }

    public string Message =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"The desktop's own disk of {TotalBytes >> 20} MiB is nearly full. Programs are refused what no longer fits (No space left on device); what is there stays. Delete files in the desktop, or take a template with more diskBytes."
        );
}
