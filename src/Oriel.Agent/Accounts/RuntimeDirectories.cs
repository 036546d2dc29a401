using Oriel.Linux.Files;

namespace Oriel.Agent.Accounts;

/// <summary>The directories that a session expects of its system, owners and modes included.</summary>
internal static class RuntimeDirectories
{
    public static string Of(UserAccount user) => $"/run/user/{user.Uid}";

    public static void Create(UserAccount user)
    {
        foreach (var shared in (string[])["/tmp/.X11-unix", "/tmp/.ICE-unix"])
        {
            using var directory = DirectoryHandle.OpenOrCreate(shared, 0, 0);
            directory.SetMode(0x3ff); // 1777
        }

        using (DirectoryHandle.OpenOrCreate("/run/user", 0, 0))
        using (var runtime = DirectoryHandle.OpenOrCreate(Of(user), user.Uid, user.Gid))
        {
            runtime.SetMode(0x1c0); // 0700
        }
    }
}
