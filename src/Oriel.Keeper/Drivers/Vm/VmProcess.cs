using System.Diagnostics;
using System.Globalization;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>
/// How a VMM's process is started: with its directory as its root, in the desktop's cgroup, as <see cref="VmDirectory.UserId"/>, and
/// without any power.
/// </summary>
internal static class VmProcess
{
    /// <summary>What a VMM has its machine's state open as, where it is given one. One digit, as a shell has it.</summary>
    public const int StateDescriptor = 8;

    /// <summary>
    /// Joins the cgroup ($0, may be none), puts both outputs on one pipe and nothing on the input, and becomes the rest of its arguments in
    /// a mount namespace of its own, with the working directory as its root: the process that is started is the VMM in the end. As its root
    /// is not its mount namespace's, it can make no user namespace, in which it would have powers (user_namespaces(7), EPERM).
    /// </summary>
    private static readonly string Become =
        $"{Cgroups.Join}state=$1; shift; exec unshare --mount --propagation slave -- sh -c '{Enter}' sh \"$@\" </dev/null 2>&1 {Cgroups.Leave}";

    private const string Enter = $"mount -n --bind /proc/$$/fd {VmRoot.Descriptors} && exec unshare --root=. --wd=/ -- \"$@\"";
    private static readonly string BecomeWithState = $"{Become} {StateDescriptor}<\"$state\"";

    /// <summary>Its output is what the VMM prints.</summary>
    /// <param name="directory">Made by <see cref="VmRoot"/>; its path need not be open to the VMM's user.</param>
    /// <param name="kvm">It uses /dev/kvm.</param>
    /// <param name="state">Of the machine that it is restored from; null = it has none to read, or reads it by itself.</param>
    /// <exception cref="InvalidOperationException">The program is not installed.</exception>
    public static ProcessStartInfo StartInfo(
        string directory,
        Cgroup? cgroup,
        string program,
        IEnumerable<string> arguments,
        bool kvm,
        string? state = null
    )
    {
        Programs.Require("unshare", "mount", "setpriv", program);
        var (unpower, path) = (Programs.Locate("setpriv"), Programs.Locate(program));
        VmRoot.Admit(directory, unpower);
        VmRoot.Admit(directory, path);
        var id = VmDirectory.UserId.ToString(CultureInfo.InvariantCulture);
        return new ProcessStartInfo(
            "/bin/sh",
            [
                "-c",
                state is null ? Become : BecomeWithState,
                Cgroups.Of(cgroup),
                state ?? "",
                unpower,
                "--reuid",
                id,
                "--regid",
                id,
                kvm && VmRoot.NeedsGroups ? "--keep-groups" : "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--no-new-privs",
                "--",
                path,
                .. arguments,
            ]
        )
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
        };
    }
}
