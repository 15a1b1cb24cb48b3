# Goroutines in gdb, for programs built on gort: live processes and core files.
#
#   info goroutines [COUNT]      lists them
#   goroutine N COMMAND          a gdb command in the context of goroutine N: goroutine 7 bt
#   goroutine all COMMAND        the same for each of them
#
# gdb finds this script in the program itself, if `add-auto-load-safe-path` names the program's folder (docs/gdb.md). Else: source gort-gdb.py.
#
# 1. All that is known of gort is in the table GORT_DEBUG of the program (src/observe/debugger.rs). No type of it is, nor needs to be, known to gdb.
# 2. Nothing of the program is changed, neither memory nor registers. A goroutine that is on no thread is shown by an unwinder: it says that the
#    innermost frame of the selected thread was called by the goroutine's own innermost frame. What gdb prints is numbered from there.
# 3. What is read is not trusted: every count has a bound, every stack pointer must lie in its stack.

import re
import struct

import gdb
import gdb.unwinder

VERSION = 1
SHOWN = 1000  # goroutines that are listed if nobody says how many
FRAMES = 64  # frames that are looked at for the one that says where a goroutine is
ARENAS, SLOTS, CLASSES = 1 << 16, 1 << 16, 32  # more than any program has
FIELDS = (
    "page descriptor_bytes arenas_max arena_base arena_slots arena_class arena_rows row_bytes row_state dirty g_bytes g_sp g_stack_lo g_stack_hi g_status "
    "g_reason g_started g_id g_parent g_locked_m saved_bytes saved_pc saved_rbx saved_rbp tls_this tls_g tls_m m_g0 m_gsignal m_id m_tid"
).split()
RESUMES = re.compile(r"(c|cont|continue|fg|s|step|si|stepi|n|next|ni|nexti|fin|finish|u|until|adv|advance|j|jump|r|run|start|starti|signal|detach|kill|k)\b")
MASK = (1 << 64) - 1

# Functions that say nothing about where a goroutine is: gort's own, and what stands between them and the program's.
INNER = re.compile(r"<*(gort|core|alloc|compiler_builtins|rustix|linux_raw_sys)::|(__)?gort_\w+$")
INNER_FILES = re.compile(r"/rustc/|/library/(core|alloc)/|/(rustix|linux-raw-sys)-[0-9.]+/src/")


class Failed(gdb.GdbError):
    """What the user is told."""


def read(address, size):
    """Bytes of the program, or None where there is no memory (a guard, a hole in a core file)."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address & MASK, size))
    except (gdb.MemoryError, OverflowError, ValueError):
        return None


def word(data, at, kind="<Q"):
    return struct.unpack_from(kind, data, at)[0]


class Table:
    """The program's table GORT_DEBUG."""

    def __init__(self):
        try:
            said = gdb.execute("info address GORT_DEBUG", to_string=True)
        except gdb.error:
            raise Failed(
                "no symbol GORT_DEBUG: this is not a program built on gort, or it was stripped. "
                "With the unstripped program beside it: symbol-file PROGRAM"
            ) from None
        address = re.search(r"\b0x[0-9a-f]+", said)
        if address is None:
            raise Failed("GORT_DEBUG has no address: " + said.strip())
        address = int(address.group(0), 16)
        fixed = struct.Struct("<8sHHIQQQ%dH" % len(FIELDS))
        data = read(address, fixed.size)
        if data is None:
            raise Failed("GORT_DEBUG cannot be read at %#x" % address)
        magic, version, size, self.stack_min_bytes, self.arenas, self.count, own, *fields = fixed.unpack(data)
        if magic != b"gort-dbg":
            raise Failed("there is no table at GORT_DEBUG: do the program and the process or core file belong together?")
        if version != VERSION:
            raise Failed("the program's table has version %d, this script knows version %d: take the script that came with that gort" % (version, VERSION))
        words = read(address + fixed.size, size - fixed.size) if size > fixed.size else None
        if words is None:
            raise Failed("GORT_DEBUG ends too soon")
        for name, value in zip(FIELDS, fields):
            setattr(self, name, value)
        states, reasons = (words.split(b"\0") + [b""])[:2]
        self.states = states.decode("ascii", "replace").split(",")
        self.reasons = reasons.decode("ascii", "replace").split(",")

        # The folder of gort's sources, from the file of one of its functions; without lines there is none, and functions have their full names.
        file = gdb.find_pc_line(own).symtab
        self.sources = re.sub(r"[^/]*/[^/]*$", "", file.fullname()) if file else None

    def slot_bytes(self, stack_class):
        return (self.stack_min_bytes << stack_class) + self.page


class Thread:
    """A thread as gdb has it: its goroutine, found by where its stack pointer is."""

    def __init__(self, table, thread, by_stack):
        thread.switch()
        frame = gdb.newest_frame()
        self.thread = thread
        self.sp, self.pc, fs = (int(frame.read_register(name)) & MASK for name in ("rsp", "rip", "fs_base"))
        self.lwp = thread.ptid[1]
        self.g = self.m = None
        block = read(fs, max(table.tls_this, table.tls_g, table.tls_m) + 8) if fs else None
        if block is None or word(block, table.tls_this) != fs:
            return  # it has not begun
        self.m = word(block, table.tls_m)
        g = word(block, table.tls_g)
        on_m = [self.m + table.m_g0, self.m + table.m_gsignal]
        self.g = by_stack(self.sp)
        if self.g is None and g not in on_m and not self.is_on(table, on_m[0]):
            self.g = g

    def is_on(self, table, g):
        header = read(g, table.g_bytes)
        return header is not None and word(header, table.g_stack_lo) <= self.sp <= word(header, table.g_stack_hi)


class Goroutine:
    def __init__(self, table, address, data):
        self.address = address
        self.id, self.parent = word(data, table.g_id), word(data, table.g_parent)
        self.status, self.reason = data[table.g_status], data[table.g_reason]
        self.started = data[table.g_started] != 0
        self.sp, self.lo, self.hi = (word(data, at) for at in (table.g_sp, table.g_stack_lo, table.g_stack_hi))
        self.locked_m = word(data, table.g_locked_m)
        self.thread = None

    def state(self, world):
        states, reasons = world.table.states, world.table.reasons
        name = states[self.status] if self.status < len(states) else "status %d" % self.status
        if name == "waiting":
            name = reasons[self.reason] if self.reason < len(reasons) else "wait reason %d" % self.reason
        return name or "waiting"


class World:
    """All goroutines and threads, as they are now."""

    def __init__(self):
        self.table = table = Table()
        if gdb.selected_thread() is None:
            raise Failed("the program is not being run")
        self.unreadable = self.damaged = 0
        self.arenas = self.read_arenas()
        selected = gdb.selected_thread()
        try:
            self.threads = [Thread(table, thread, self.stack_of) for thread in gdb.selected_inferior().threads()]
        finally:
            selected.switch()
        self.by_g = {thread.g: thread for thread in self.threads if thread.g}
        self.goroutines = {}
        for g in self.read_goroutines():
            # Two of one number: a smashed descriptor. The one on a thread is right.
            if g.id not in self.goroutines or g.address in self.by_g:
                self.goroutines[g.id] = g
            g.thread = self.by_g.get(g.address)

    def read_arenas(self):
        table = self.table
        count = read(table.count, 4)
        count = min(word(count, 0, "<I") if count else 0, table.arenas_max, ARENAS)
        pointers = read(table.arenas, 8 * count) if count else b""
        if pointers is None:
            raise Failed("the table of arenas cannot be read")
        arenas = []
        for pointer in struct.unpack("<%dQ" % count, pointers):
            head = read(pointer, table.arena_rows) if pointer else None
            if head is None or not any(head):
                self.unreadable += pointer != 0
                continue
            base, slots, stack_class = word(head, table.arena_base), word(head, table.arena_slots, "<I"), head[table.arena_class]
            if slots > SLOTS or stack_class >= CLASSES:
                self.damaged += 1
                continue
            arenas.append((pointer, base, slots, table.slot_bytes(stack_class)))
        return arenas

    def stack_of(self, sp):
        """The goroutine whose slot holds this address."""
        for _, base, slots, size in self.arenas:
            if base <= sp < base + slots * size:
                return base + (sp - base) // size * size + size - self.table.descriptor_bytes
        return None

    def read_goroutines(self):
        table = self.table
        for pointer, base, slots, size in self.arenas:
            rows = read(pointer + table.arena_rows, slots * table.row_bytes)
            if rows is None:
                self.unreadable += 1
                continue
            for index, state in enumerate(rows[table.row_state :: table.row_bytes]):
                if state != table.dirty:
                    continue
                address = base + (index + 1) * size - table.descriptor_bytes
                data = read(address, table.g_bytes)
                if data is None or not any(data):
                    self.unreadable += 1  # a debugger's core file has zeros for what it could not read
                elif word(data, table.g_stack_hi) != address:
                    self.damaged += 1
                elif data[table.g_status] and word(data, table.g_id):
                    yield Goroutine(table, address, data)

    def warn(self):
        if self.unreadable:
            print("%d arenas or goroutines cannot be read: this core file lacks their memory" % self.unreadable)
        if self.damaged:
            print("%d arenas or goroutines have been overwritten, and are not shown" % self.damaged)

    def thread_of_m(self, m):
        for thread in self.threads:
            if thread.m == m:
                return thread.lwp
        data = read(m + self.table.m_tid, 4)
        return word(data, 0, "<I") if data else 0

    def registers(self, g):
        """The innermost frame of a goroutine that is on no thread."""
        table = self.table
        if g.sp % 8 or not g.lo <= g.sp <= g.hi - table.saved_bytes:
            raise Failed("goroutine %d: its saved stack pointer %#x is not in its stack, [%#x, %#x)" % (g.id, g.sp, g.lo, g.hi))
        saved = read(g.sp, table.saved_bytes)
        if saved is None:
            raise Failed("goroutine %d: its stack cannot be read at %#x" % (g.id, g.sp))
        pc = word(saved, table.saved_pc)
        if not g.started:
            pc += 1  # of the first instruction of gort_go: gdb looks for the function of a caller before its address
        return {"rip": pc, "rsp": g.sp + table.saved_bytes, "rbx": word(saved, table.saved_rbx), "rbp": word(saved, table.saved_rbp)}


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Unwinder(gdb.unwinder.Unwinder):
    """Invariant 2. At work only while a command runs for a goroutine."""

    def __init__(self):
        super().__init__("gort")
        self.enabled = False
        self.of_sp, self.registers = 0, {}

    def __call__(self, pending):
        # The thread's innermost frame is the only one on the thread's own stack that is asked about.
        if not self.registers or int(pending.read_register("rsp")) & MASK != self.of_sp:
            return None
        # An inner frame must not lie above an outer one.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.registers["rsp"] - 8), pending.read_register("rip")))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value))
        return info


UNWINDER = Unwinder()


class Kept:
    """Thread and frame that the user has selected: afterwards they are again."""

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.frame = gdb.selected_frame() if self.thread else None

    def __exit__(self, *_):
        if self.thread and self.thread.is_valid():
            self.thread.switch()
            try:
                self.frame.select()
            except gdb.error:
                gdb.newest_frame().select()


class Context:
    """Within it the selected frame is the innermost one of a goroutine. `shift` of gdb's frames are not the goroutine's."""

    def __init__(self, world, g):
        self.world, self.g = world, g

    def __enter__(self):
        self.registers = None if self.g.thread else self.world.registers(self.g)
        self.thread, self.shift = gdb.selected_thread(), 0
        try:
            if self.g.thread:
                self.g.thread.thread.switch()
                gdb.newest_frame().select()
            else:
                self.enter_switched_out()
        except BaseException:
            self.__exit__()
            raise
        return self

    def enter_switched_out(self):
        UNWINDER.of_sp = int(gdb.newest_frame().read_register("rsp")) & MASK
        UNWINDER.registers = self.registers
        UNWINDER.enabled = True
        gdb.invalidate_cached_frames()
        # The innermost frame may be several, of functions inlined into each other.
        frame = gdb.newest_frame()
        while frame is not None and int(frame.read_register("rsp")) & MASK == UNWINDER.of_sp:
            self.shift += 1
            frame = frame.older()
        if frame is None:
            raise Failed("goroutine %d: gdb does not find its frames" % self.g.id)
        frame.select()

    def __exit__(self, *_):
        UNWINDER.registers, UNWINDER.enabled = {}, False
        gdb.invalidate_cached_frames()
        self.thread.switch()

    def select(self, level):
        """Selects one of the goroutine's frames. gdb's own commands for it print past those who want to read what they print."""
        frame = gdb.selected_frame() if level >= 0 else None
        for _ in range(max(level, 0)):
            frame = frame and frame.older()
        if frame is None:
            raise Failed("goroutine %d has no such frame" % self.g.id)
        frame.select()

    def run(self, command, from_tty):
        """Runs a gdb command, and returns what it says."""
        if RESUMES.match(command):
            raise Failed("goroutine: a command that lets the program go on is not for one goroutine")
        if not self.shift:
            return gdb.execute(command, from_tty, to_string=True)
        count = re.match(r"(bt|backtrace|where)\b(.*\s)?(\d+)\s*$", command)
        level = re.match(r"(f|frame|select-frame)\s+(?:level\s+)?(\d+)\s*$", command)
        found = re.match(r"(?:f|frame)\s+((?:function|address)\s.*)", command)
        steps = re.match(r"(up|down)(?:\s+(\d+))?\s*$", command)
        if count:
            command = "%s%s%d" % (count.group(1), count.group(2) or " ", int(count.group(3)) + self.shift)
        elif level:
            self.select(int(level.group(2)))
            command = "frame"
        elif found:
            gdb.execute("select-frame " + found.group(1), from_tty, to_string=True)
            command = "frame"
        elif steps:
            self.select(int(steps.group(2) or 1) * (1 if steps.group(1) == "up" else -1))
            command = "frame"
        said, own = [], True
        for line in gdb.execute(command, from_tty, to_string=True).splitlines():
            number = re.match(r"#(\d+)( +)", line)
            if number:
                own = int(number.group(1)) >= self.shift
                line = ("#%d" % (int(number.group(1)) - self.shift)).ljust(number.end()) + line[number.end() :]
            if own:
                said.append(line + "\n")
        return "".join(said)


def where(world, g):
    """What is shown of a goroutine's place: function, line; and whether it was preempted there."""
    if not g.started and not g.thread:
        data = read(g.sp + world.table.saved_rbx, 8)
        begins = gdb.execute("info symbol %#x" % word(data, 0), to_string=True).split(" in section")[0] if data else "?"
        return "not started: " + re.sub(r"::h[0-9a-f]{16}$", "", begins.strip()), False
    with Context(world, g):
        frame, innermost, preempted = gdb.selected_frame(), None, False
        for _ in range(FRAMES):
            if frame is None:
                break
            name = frame.name()
            preempted = preempted or name == "gort_preempt"
            place = place_of(frame, name)
            innermost = innermost or place
            if not is_inner(world.table, frame, name):
                return place, preempted
            frame = frame.older()
    return innermost or "?", preempted


def is_inner(table, frame, name):
    """Inlined functions have names without a path: then the file says whose they are."""
    if name is None or INNER.match(name):
        return True
    file = frame.find_sal().symtab
    file = file.fullname() if file else ""
    return bool(table.sources and file.startswith(table.sources) or INNER_FILES.search(file))


def place_of(frame, name):
    line = frame.find_sal()
    place = re.sub(r"::h[0-9a-f]{16}$", "", name) if name else "%#x" % frame.pc()
    if line.symtab is not None and line.line:
        place += " at %s:%d" % (line.symtab.filename, line.line)
    return place


class InfoGoroutines(gdb.Command):
    """Lists the goroutines: number, state, thread, and where they are.

Usage: info goroutines [COUNT | all]

The first 1000 by number, or COUNT. A star is before those that are on a thread; its LWP stands behind, as does that of the thread to which a
goroutine is locked. The place is the innermost frame that is not gort's own."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        arg = arg.strip()
        if arg and arg != "all" and not arg.isdigit():
            raise Failed("usage: info goroutines [COUNT | all]")
        with Kept():
            self.list(World(), SHOWN if not arg else None if arg == "all" else int(arg))

    @staticmethod
    def list(world, shown):
        goroutines = [world.goroutines[number] for number in sorted(world.goroutines)]
        shown = len(goroutines) if shown is None else shown
        for g in goroutines[:shown]:
            try:
                place, preempted = where(world, g)
            except (Failed, gdb.error) as error:
                place, preempted = "(%s)" % error, False
            notes = ", preempted" if preempted and not g.thread else ""
            if g.thread:
                notes += ", LWP %d" % g.thread.lwp
            if g.locked_m:
                notes += ", locked to LWP %d" % world.thread_of_m(g.locked_m)
            print("%s %5d [%s%s] %s" % ("*" if g.thread else " ", g.id, g.state(world), notes, place))
        if len(goroutines) > shown:
            print("%d more goroutines (info goroutines all)" % (len(goroutines) - shown))
        elif not goroutines:
            print("No goroutines.")
        world.warn()


class RunIn(gdb.Command):
    """Runs a gdb command in the context of a goroutine.

Usage: goroutine N COMMAND
       goroutine all COMMAND

COMMAND finds the goroutine's innermost frame selected: goroutine 7 bt, goroutine 7 frame 3, goroutine 7 info registers. Without a command: frame.
Afterwards thread and frame are what they were. Frames are numbered from the goroutine's innermost one; commands that take numbers of frames
otherwise than bt, frame and select-frame do count gdb's own from 0, of which one is not the goroutine's. Nothing in the program changes: of a
goroutine that is on no thread gdb knows rip, rsp, rbp, rbx and what its frames have saved."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        number, _, command = arg.strip().partition(" ")
        command = command.strip() or "frame"
        if number != "all" and not number.isdigit():
            raise Failed("usage: goroutine N COMMAND, goroutine all COMMAND")
        with Kept():
            world = World()
            if number == "all":
                self.run_in_all(world, command, from_tty)
                return
            g = world.goroutines.get(int(number))
            if g is None:
                world.warn()
                raise Failed("no goroutine " + number)
            try:
                self.run(world, g, command, from_tty)
            except gdb.error as error:
                raise Failed(str(error)) from None

    def run_in_all(self, world, command, from_tty):
        for number in sorted(world.goroutines):
            g = world.goroutines[number]
            print("\ngoroutine %d [%s]:" % (number, g.state(world)))
            try:
                self.run(world, g, command, from_tty)
            except (Failed, gdb.error) as error:
                print("(%s)" % error)
        world.warn()

    @staticmethod
    def run(world, g, command, from_tty):
        with Context(world, g) as context:
            said = context.run(command, from_tty)
        gdb.write(said)


gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
InfoGoroutines()
RunIn()
