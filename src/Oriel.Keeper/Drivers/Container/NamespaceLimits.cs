using System.Globalization;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>
/// What a container's guest may hold at most of what the kernel counts for each user namespace (namespaces(7), /proc/sys/user). The limits
/// are set in the keeper's namespace: the guest's is below it, so its root cannot raise them, and all of its users count together.
/// </summary>
internal static class NamespaceLimits
{
    private const string Folder = "/proc/sys/user";

    /// <summary>Chromium takes a few for each of its processes.</summary>
    private const int Namespaces = 512;

    private static readonly (string Name, int Most)[] All =
    [
        .. new[] { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" }.Select(kind => ($"max_{kind}_namespaces", Namespaces)),
        ("max_inotify_instances", 96),
        ("max_inotify_watches", 65_536),
        ("max_fanotify_groups", 0),
        ("max_fanotify_marks", 0),
    ];

    /// <summary>A kernel that does not count one of them has no such file.</summary>
    public static void Apply()
    {
        foreach (var (name, most) in All)
        {
            var path = Path.Combine(Folder, name);
            if (File.Exists(path))
            {
                File.WriteAllText(path, most.ToString(CultureInfo.InvariantCulture));
            }
        }
    }
}
