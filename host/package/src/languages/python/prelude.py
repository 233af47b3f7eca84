class StoppedError(OnionskinError):
    """The component was stopped inside the call, as if the process had died: open the root again."""

    kind = "stopped"


ERRORS = {error.kind: error for error in OnionskinError.__subclasses__()}
RECORDS: dict[tuple[str, ...], Any] = {
    tuple(kind.__dataclass_fields__): kind for kind in [*globals().values()] if is_dataclass(kind)
}
AnyPath = str | os.PathLike[str]
PAGE = 4096
"""The number of names or changes in one call."""
PIECE_BYTES = 1 << 20
"""The number of bytes in one call."""
SPOOLED_BYTES_MIN = 8 << 10
"""From this size on content goes through a file where possible: in a call it costs 0.1 us per byte."""


def place(path: AnyPath) -> str:
    """Resolves a path of the host."""
    return str(Path(path).resolve(strict=True))


class Instance:
    """The component with its granted directories, each by its path, and whether it may write them.

    Calls from several threads are serialized.
    """

    def __init__(self, linker: wasm.Linker, component: wasm.Component, grants: dict[str, bool]) -> None:
        self.engine = Store(linker.engine)
        self._spool = tempfile.TemporaryDirectory(prefix="onionskin-")
        self._grants = grants | {place(self._spool.name): False}
        self._turn = threading.RLock()
        self._resources: list[wasm.ResourceAny] = []
        self._functions: dict[tuple[str, str], _Function] = {}
        self.stopped = False
        wasi = WasiConfig()
        for name, access in self._grants.items():
            wasi.preopen_dir(name, name, access)
        self.engine.set_wasi(wasi)
        self._instance = linker.instantiate(self.engine, component)

    def call(self, interface: str, name: str, *arguments: Any) -> Any:
        """Calls an export; an error of the contract is raised as its class."""
        with self._turn:
            if self.stopped:
                raise StoppedError("it is closed, or was stopped before: open it again")
            try:
                answer = self._function(interface, name)(self.engine, *arguments)
            except WasmtimeError as error:
                self.stopped = True
                raise StoppedError(f"the component was stopped in {name}: open it again: {error}") from error
        # A result is recognized by its tag where both sides are records, and by its type otherwise.
        failed = isinstance(answer, wasm.Record) and hasattr(answer, "subject")
        if isinstance(answer, wasm.Variant):
            failed, answer = answer.tag == "err", answer.payload
        if failed:
            raise ERRORS[answer.kind](answer.message, answer.subject, answer.cause)
        if isinstance(answer, wasm.ResourceAny):
            self._resources.append(answer)
        return lifted(answer)

    def take(self, resource: wasm.ResourceAny) -> bool:
        """Removes a resource from the list, and returns whether it was in it."""
        with self._turn:
            is_there = resource in self._resources
            if is_there:
                self._resources.remove(resource)
            return is_there

    def drop(self, resource: wasm.ResourceAny) -> None:
        """Drops a resource, unless it was dropped before."""
        with self._turn:
            if self.take(resource) and not self.stopped:
                resource.drop(self.engine)

    def close(self) -> None:
        """Drops the remaining resources, the newest first and the store last."""
        with self._turn:
            for resource in reversed(self._resources.copy()):
                self.drop(resource)
            self.stopped = True
            self._spool.cleanup()

    def spool(self, data: bytes) -> Path:
        """Creates a file with this content, which exists until the next call."""
        content = Path(self._spool.name, "content")
        content.write_bytes(data)
        return content

    def granted(self, host: AnyPath) -> str:
        """Returns the component's name of the target of a path on the host."""
        found = place(host)
        if not any(Path(found).is_relative_to(grant) for grant in self._grants):
            message = f"{host}: leads to {found}, which was not granted: pass it as lower"
            raise SymlinkEscapesError(message, str(host))
        return found

    def _function(self, interface: str, name: str) -> "_Function":
        if (found := self._functions.get((interface, name))) is None:
            owner = self._instance.get_export_index(self.engine, f"{PACKAGE}/{interface}@{VERSION}")
            index = self._instance.get_export_index(self.engine, name, owner) if owner else None
            function = self._instance.get_func(self.engine, index) if index else None
            if function is None:
                raise LookupError(f"the component has no {name} in {interface}: it is of another version")
            found = self._functions[interface, name] = _Function(function, self.engine)
        return found


class Resource:
    """A resource of the component, and its calls."""

    _interface: ClassVar[str]
    _name: ClassVar[str]

    def __init__(self, guest: Instance, resource: wasm.ResourceAny) -> None:
        self._guest = guest
        self._resource = resource

    def drop(self) -> None:
        """Drops it, and leaves nothing behind."""
        self._guest.drop(self._resource)

    def _call(self, name: str, *arguments: object) -> Any:
        return self._guest.call(self._interface, f"[method]{self._name}.{name}", self._resource, *arguments)

    def _consume(self, name: str) -> Any:
        """Makes a call that consumes the resource, even when it fails."""
        if not self._guest.take(self._resource):
            raise InvalidArgumentError("it was committed or dropped: begin again")
        return self._guest.call(self._interface, f"[static]{self._name}.{name}", self._resource)

    def _pages(self, name: str, *arguments: object, each: str | None) -> Iterator[Any]:
        """Iterates over pages, each in a field beside the start of the next, or else after the last name."""
        after, more = None, True
        while more:
            page = self._call(name, *arguments, after, PAGE)
            yield from page if each is None else getattr(page, each)
            after = getattr(page, "next") if each else page[-1].name if page else None
            more = after is not None


class Root(Resource):
    """An open resource. ``with`` closes it."""

    _opened: ExitStack
    """The resources to release on close: the instance, and the lock."""

    def close(self) -> None:
        """Closes it. Writers and transactions that were not committed are dropped."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Uncommitted(Resource):
    """A change that a ``with`` statement commits at its end, or drops when it fails."""

    receipt: Receipt
    """The achieved durability and the counts, after the commit."""

    def _consume(self, name: str) -> Any:
        self.receipt = super()._consume(name)
        return self.receipt

    def commit(self) -> Receipt:
        """Decides and publishes. An error before the commit point leaves everything unchanged."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.drop()


class _Function:
    """A function whose types are looked up once, and which passes lists of bytes as a whole."""

    def __init__(self, function: wasm.Func, engine: Store) -> None:
        kind = function.type(engine)
        result = kind.result
        types = record(params=[(name, _Bytes(kind)) for name, kind in kind.params], result=result and _Bytes(result))
        self._call = wasm.Func._from_raw(function._func)
        self._call.type = lambda _: types  # type: ignore[method-assign,assignment,return-value]

    def __call__(self, engine: Store, *arguments: Any) -> Any:
        return self._call(engine, *arguments)


class _Bytes:
    """A type whose bytes are passed as a whole. The package wasmtime passes them one by one, at 1 us each."""

    STEP = ctypes.sizeof(ffi.wasmtime_component_val_t)
    AT: int = ffi.wasmtime_component_val_t.of.offset
    BYTE: int = ffi.WASMTIME_COMPONENT_U8.value

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def convert_to_c(self, engine: Store, value: Any, place: Any) -> None:
        if not isinstance(value, bytes):
            self._kind.convert_to_c(engine, value, place)
            return
        self._kind.convert_to_c(engine, b"", place)
        image = bytearray(self.STEP * len(value))
        image[:: self.STEP] = bytes([self.BYTE]) * len(value)
        image[self.AT :: self.STEP] = value
        whole = _passed_list(place.contents)
        ffi.wasmtime_component_vallist_new_uninit(whole, len(value))
        ctypes.memmove(whole.data, (ctypes.c_char * len(image)).from_buffer(image), len(image))

    def convert_from_c(self, value: Any) -> Any:
        found = _passed_list(value)
        if not found or not found.size or found.data[0].kind != self.BYTE:
            return self._kind.convert_from_c(value)
        data = ctypes.string_at(found.data, self.STEP * found.size)[self.AT :: self.STEP]
        ffi.wasmtime_component_vallist_delete(found)
        ffi.wasmtime_component_vallist_new_empty(found)
        self._kind.convert_from_c(value)
        return data


def _passed_list(value: Any) -> Any:
    """Returns the list of bytes: by itself, in the case of a variant, or in the place of an error."""
    inside = {
        ffi.WASMTIME_COMPONENT_VARIANT.value: lambda: value.of.variant.val,
        ffi.WASMTIME_COMPONENT_RESULT.value: lambda: value.of.result.is_ok and value.of.result.val,
    }
    while found := inside.get(value.kind, lambda: None)():
        value = found.contents
    return value.of.list if value.kind == ffi.WASMTIME_COMPONENT_LIST.value else None


def tagged(case: Any) -> wasm.Variant:
    """A case of a variant."""
    return wasm.Variant(*case) if isinstance(case, tuple) else wasm.Variant(case)


def lifted(value: Any) -> Any:
    """Converts a result to the types of this package."""
    match value:
        case list():
            return [lifted(one) for one in value]
        case wasm.Variant():
            return value.tag if value.payload is None else (value.tag, value.payload)
        case wasm.Record():
            given = {name.replace("-", "_"): lifted(one) for name, one in vars(value).items()}
            return RECORDS[tuple(given)](**given)
    return value
