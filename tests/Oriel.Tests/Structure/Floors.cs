using System.Text;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Oriel.Tests.Structure;

/// <summary>
/// Which folder of a project uses which, by the types in its compiled assembly: base types, members, signatures, attributes and what the
/// code touches. A folder is a namespace; one that uses nothing of its project stands on the ground floor, any other one above all that it
/// uses.
/// </summary>
internal sealed class Floors
{
    private readonly string _project;
    private readonly SortedDictionary<string, SortedSet<string>> _arrows = new(StringComparer.Ordinal);
    private readonly Dictionary<(string From, string To), string> _examples = [];

    private Floors(string project) => _project = project;

    /// <summary>Folders, and which others each uses.</summary>
    public IReadOnlyDictionary<string, SortedSet<string>> Arrows => _arrows;

    /// <param name="project">Its assembly lies beside this one.</param>
    public static Floors Of(string project)
    {
        var floors = new Floors(project);
        using var module = ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, ArrowTests.AssemblyOf(project) + ".dll"));
        foreach (var type in module.GetTypes())
        {
            floors.Add(type);
        }

        return floors;
    }

    /// <summary>One type that an arrow is there for, and what it uses.</summary>
    public string ExampleOf(string from, string to) => _examples[(from, to)];

    /// <summary>The folders of the first circle that is found, in its order; empty where there is none.</summary>
    public IReadOnlyList<string> Circle(IReadOnlySet<(string From, string To)> excused)
    {
        HashSet<string> done = [];
        List<string> path = [];
        foreach (var folder in _arrows.Keys)
        {
            if (Visit(folder) is { } circle)
            {
                return circle;
            }
        }

        return [];

        IReadOnlyList<string>? Visit(string folder)
        {
            if (path.IndexOf(folder) is var at and >= 0)
            {
                return [.. path[at..], folder];
            }

            if (!done.Add(folder))
            {
                return null;
            }

            path.Add(folder);
            var circle = _arrows[folder]
                .Where(to => !excused.Contains((folder, to)))
                .Select(Visit)
                .FirstOrDefault(found => found is not null);
            path.RemoveAt(path.Count - 1);
            return circle;
        }
    }

    /// <summary>One line for each folder, the highest floor first: its number, the folder, and what it uses.</summary>
    public string Picture(IReadOnlySet<(string From, string To)> excused)
    {
        Dictionary<string, int> heights = [];
        var lines = _arrows
            .Keys.Select(folder => (Folder: folder, Height: HeightOf(folder)))
            .OrderByDescending(line => line.Height)
            .ThenBy(line => line.Folder, StringComparer.Ordinal);
        var text = new StringBuilder();
        foreach (var (folder, height) in lines)
        {
            text.Append($"  {height} {folder}")
                .Append(_arrows[folder].Count == 0 ? "" : " > " + string.Join(", ", _arrows[folder]))
                .Append('\n');
        }

        return text.ToString();

        int HeightOf(string folder)
        {
            if (heights.TryAdd(folder, 0))
            {
                // Where there is a circle no number is right; another test names it.
                heights[folder] = _arrows[folder]
                    .Where(to => !excused.Contains((folder, to)))
                    .Select(to => HeightOf(to) + 1)
                    .DefaultIfEmpty(0)
                    .Max();
            }

            return heights[folder];
        }
    }

    private void Add(TypeDefinition type)
    {
        if (FolderOf(type) is not { } from)
        {
            return;
        }

        _arrows.TryAdd(from, []);
        foreach (var used in Used(type).SelectMany(Parts))
        {
            if (used.Scope == type.Module && FolderOf(used) is { } to && to != from)
            {
                _arrows.TryAdd(to, []);
                _arrows[from].Add(to);
                _examples.TryAdd((from, to), $"{Outermost(type).Name} uses {used.Name}");
            }
        }
    }

    /// <summary>
    /// Null for what the compiler adds outside the project's namespaces, and for the database's migrations, which a tool writes.
    /// </summary>
    private string? FolderOf(TypeReference type)
    {
        var name = Outermost(type).Namespace;
        return name == _project ? "(root)"
            : name.StartsWith(_project + ".", StringComparison.Ordinal) && !name.EndsWith(".Migrations", StringComparison.Ordinal)
                ? name[(_project.Length + 1)..]
            : null;
    }

    private static TypeReference Outermost(TypeReference type) => type.DeclaringType is { } declaring ? Outermost(declaring) : type;

    private static IEnumerable<TypeReference?> Used(TypeDefinition type) =>
        [
            type.BaseType,
            .. type.Interfaces.Select(one => one.InterfaceType),
            .. type.CustomAttributes.SelectMany(OfAttribute),
            .. type.GenericParameters.SelectMany(parameter => parameter.Constraints.Select(constraint => constraint.ConstraintType)),
            .. type.Fields.Select(field => field.FieldType),
            .. type.Properties.SelectMany(property => property.CustomAttributes.SelectMany(OfAttribute)),
            .. type.Methods.SelectMany(OfMethod),
        ];

    private static IEnumerable<TypeReference?> OfMethod(MethodDefinition method) =>
        [
            method.ReturnType,
            .. method.Parameters.Select(parameter => parameter.ParameterType),
            .. method.CustomAttributes.SelectMany(OfAttribute),
            .. method.GenericParameters.SelectMany(parameter => parameter.Constraints.Select(constraint => constraint.ConstraintType)),
            .. method.HasBody ? OfBody(method.Body) : [],
        ];

    private static IEnumerable<TypeReference?> OfBody(MethodBody body) =>
        [
            .. body.Variables.Select(variable => variable.VariableType),
            .. body.ExceptionHandlers.Select(handler => handler.CatchType),
            .. body.Instructions.SelectMany(OfInstruction),
        ];

    private static IEnumerable<TypeReference?> OfInstruction(Instruction instruction) =>
        instruction.Operand switch
        {
            TypeReference type => [type],
            FieldReference field => [field.DeclaringType, field.FieldType],
            GenericInstanceMethod method =>
            [
                method.DeclaringType,
                method.ReturnType,
                .. method.GenericArguments,
                .. method.Parameters.Select(parameter => parameter.ParameterType),
            ],
            MethodReference method =>
            [
                method.DeclaringType,
                method.ReturnType,
                .. method.Parameters.Select(parameter => parameter.ParameterType),
            ],
            _ => [],
        };

    private static IEnumerable<TypeReference?> OfAttribute(CustomAttribute attribute) =>
        [attribute.AttributeType, .. attribute.ConstructorArguments.Select(argument => argument.Value as TypeReference)];

    /// <summary>An array's element, a generic's arguments, and so on.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference? type) =>
        type switch
        {
            null or GenericParameter => [],
            GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
            FunctionPointerType pointer =>
            [
                .. Parts(pointer.ReturnType),
                .. pointer.Parameters.SelectMany(parameter => Parts(parameter.ParameterType)),
            ],
            IModifierType modified => [.. Parts(modified.ElementType), .. Parts(modified.ModifierType)],
            TypeSpecification specification => Parts(specification.ElementType),
            _ => [type],
        };
}
