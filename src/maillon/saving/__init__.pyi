from maillon.saving.files import FileError as FileError
from maillon.saving.saving import load as load, save as save
