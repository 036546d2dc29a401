using Oriel.Linux.Cgroups;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Drivers;

/// <summary>
/// How a guest's first process gets into the desktop's cgroup: in a shell, before it becomes what it is to be. The guest does not inherit
/// the way in.
/// </summary>
internal static class Cgroups
{
    /// <summary>Joins the cgroup where $0 says that there is one.</summary>
    public static readonly string Join = $"if [ \"$0\" = {Some} ]; then echo 0 >&{KeeperLimits.CgroupDescriptor} || exit; fi; ";

    /// <summary>Of the command that the shell becomes.</summary>
    public static readonly string Leave = $"{KeeperLimits.CgroupDescriptor}>&-";

    private const string Some = "cgroup",
        None = "none";

    /// <summary>The shell's $0.</summary>
    public static string Of(Cgroup? cgroup) => cgroup is null ? None : Some;
}
