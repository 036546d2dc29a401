using Oriel.Images.Tools;

namespace Oriel.Images.Building;

/// <summary>
/// Runs a script as root of a user namespace inside an image's tree that is being built, with a /dev and /proc that vanish afterwards.
/// </summary>
internal static class ImageChroot
{
    private const string Enter = """
        set -eu
        root=$1
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for node in null zero full random urandom tty; do
            : > "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mkdir -m 1777 "$root/dev/shm"
        ln -s /proc/self/fd "$root/dev/fd"
        ln -s /proc/self/fd/0 "$root/dev/stdin"
        ln -s /proc/self/fd/1 "$root/dev/stdout"
        ln -s /proc/self/fd/2 "$root/dev/stderr"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmpfs "$root/run"
        cp "$2" "$root/run/script"
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh /run/script
        """;

    /// <exception cref="CommandFailedException">The script, or the way into the tree, failed.</exception>
    public static Task RunAsync(string root, string script, Action<string> report, CancellationToken cancellationToken) =>
        Command.RunAsync(
            MappedNamespace.WrapIsolated("sh", "-c", Enter, "chroot", root, script),
            line => report($"customise: {line}"),
            cancellationToken
        );
}
